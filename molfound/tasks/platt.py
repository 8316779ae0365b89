"""Platt's scaling: probabilities of binary tasks that are the frequencies seen on molecules held out."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from molfound.tasks.calibration import ProbabilityCalibration
from molfound.tasks.packed import Floats, PackedPredictions

FEWEST = 10
"""Labels of either class below which probabilities stay as they are: a fit to fewer would be worse than none."""


def calibrated_probabilities(packed: PackedPredictions) -> ProbabilityCalibration:
    """Return what calibrates a binary task's labels, by Platt's scaling of their logits (Platt, 1999).

    The logistic curve through the targets held out has Platt's prior: targets a little inside 0 and 1, so that it
    stays finite where the logits part the classes. The scale is not negative: who ranks higher stays so.
    """
    fits = [
        platt(logits, targets)
        for logits, targets in zip(
            packed.by_label(packed.prediction.astype(np.float64)),
            packed.by_label(packed.target.astype(np.float64)),
            strict=True,
        )
    ]
    return ProbabilityCalibration(scale=tuple(scale for scale, _ in fits), shift=tuple(shift for _, shift in fits))


def platt(logits: Floats, targets: Floats) -> tuple[float, float]:
    """Return scale and shift of the logits, ``[n]``, of one label, whose targets are 0 or 1.

    Too few of either class, and logits that are no numbers, have a scale of 1 and no shift.

    Example:
        >>> logits, targets = np.repeat([-2.0, 0.0, 2.0], 100), np.zeros(300)
        >>> targets[:27] = targets[100:150] = targets[200:273] = 1  # 27, 50 and 73 of 100: half as steep
        >>> scale, shift = platt(logits, targets)
        >>> round(scale, 1), round(abs(shift), 1)
        (0.5, 0.0)
    """
    positives, negatives = float(targets.sum()), float(len(targets) - targets.sum())
    if min(positives, negatives) < FEWEST or not np.isfinite(logits).all():
        return 1.0, 0.0
    wanted = np.where(targets == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scaled = parameters[0] * logits + parameters[1]
        error = expit(scaled) - wanted
        value = np.logaddexp(0, scaled).sum() - (wanted * scaled).sum()
        return float(value), np.array([(error * logits).sum(), error.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return float(found.x[0]), float(found.x[1])


def calibration_error(probabilities: Floats, targets: Floats, bins: int = 10) -> float:
    """Return the expected calibration error: how far mean probability and frequency lie apart in bins of equal width.

    The bins count by their numbers of values (Naeini et al., 2015).

    Args:
        probabilities: float64 ``[n]``, of class 1.
        targets: ``[n]``, 0 or 1.
        bins: how many.

    Example:
        >>> calibration_error(np.array([0.2, 0.2, 0.9, 0.9]), np.array([0, 1, 1, 1]))
        0.2
    """
    number = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    gap = np.bincount(number, probabilities - targets, bins)
    return float(round(np.abs(gap).sum() / max(len(targets), 1), 12))
