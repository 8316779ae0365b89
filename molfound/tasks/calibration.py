"""Calibration on molecules held out: conformal intervals around regressions, probabilities that are frequencies."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.optimize import minimize
from scipy.special import expit

from molfound.tasks.packed import Floats, PackedPredictions

LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95, 0.99)
"""The coverages that intervals are kept for."""

FEWEST = 10
"""Labels of either class below which probabilities stay as they are: a fit to fewer would be worse than none."""


class IntervalCalibration(BaseModel):
    """Half the width of the intervals around a regression's predictions.

    Attributes:
        widths: by level of coverage, as text, and label, in original units; None where a label has too few values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: dict[str, tuple[float | None, ...]]


class ProbabilityCalibration(BaseModel):
    """What turns a logit into one whose probability is calibrated: ``scale * logit + shift``.

    Attributes:
        scale: of each label.
        shift: of each label.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: tuple[float, ...]
    shift: tuple[float, ...]


class Calibration(BaseModel):
    """What a run keeps in ``calibration.json``.

    Attributes:
        intervals: of the regressions, by task.
        probabilities: of the binary tasks, by task.
        test: what the test part says of them, by task and figure: ``coverage_0.9``, ``brier_calibrated``, …
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intervals: dict[str, IntervalCalibration]
    probabilities: dict[str, ProbabilityCalibration]
    test: dict[str, dict[str, float | None]] = {}


def conformal_widths(residuals: Floats, levels: Sequence[float] = LEVELS) -> list[float | None]:
    """Return half the width of the interval that covers a new value with at least each of these probabilities.

    It is the k-th smallest of n residuals with k = ⌈(n + 1) · level⌉, which holds for values that could be exchanged
    with those the residuals are of (split conformal prediction: Papadopoulos et al., 2002; Lei et al., 2018).

    Args:
        residuals: float64 ``[n]``, how far predictions were off, of molecules that the model has not learned from.
        levels: probabilities.

    Returns:
        The widths; None where n is too small for a finite one.

    Example:
        >>> conformal_widths(np.arange(1.0, 10.0), [0.5, 0.9, 0.95])
        [5.0, 9.0, None]
    """
    ascending = np.sort(residuals)
    # A little less than the product, whose rounding could be above a whole number.
    ranks = [int(np.ceil((len(residuals) + 1) * level - 1e-9)) for level in levels]
    return [float(ascending[rank - 1]) if rank <= len(residuals) else None for rank in ranks]


def calibrated_intervals(packed: PackedPredictions) -> IntervalCalibration:
    """Return the intervals of a regression's labels, from predictions of molecules held out."""
    units = np.ones(packed.labels) if packed.deviation is None else packed.deviation
    residuals = np.abs(packed.prediction.astype(np.float64) - packed.target) * units[packed.label]
    by_label = [conformal_widths(part) for part in _by_label(residuals, packed)]
    return IntervalCalibration(
        widths={str(level): tuple(widths[place] for widths in by_label) for place, level in enumerate(LEVELS)}
    )


def calibrated_probabilities(packed: PackedPredictions) -> ProbabilityCalibration:
    """Return what calibrates a binary task's labels, by Platt's scaling of their logits (Platt, 1999).

    The logistic curve through the targets held out has Platt's prior: targets a little inside 0 and 1, so that it
    stays finite where the logits part the classes. The scale is not negative: who ranks higher stays so.
    """
    fits = [
        platt(logits, targets)
        for logits, targets in zip(
            _by_label(packed.prediction.astype(np.float64), packed),
            _by_label(packed.target.astype(np.float64), packed),
            strict=True,
        )
    ]
    return ProbabilityCalibration(scale=tuple(scale for scale, _ in fits), shift=tuple(shift for _, shift in fits))


def platt(logits: Floats, targets: Floats) -> tuple[float, float]:
    """Return scale and shift of the logits, ``[n]``, of one label, whose targets are 0 or 1.

    Example:
        >>> logits, targets = np.repeat([-2.0, 0.0, 2.0], 100), np.zeros(300)
        >>> targets[:27] = targets[100:150] = targets[200:273] = 1  # 27, 50 and 73 of 100: half as steep
        >>> scale, shift = platt(logits, targets)
        >>> round(scale, 1), round(abs(shift), 1)
        (0.5, 0.0)
    """
    positives, negatives = float(targets.sum()), float(len(targets) - targets.sum())
    if min(positives, negatives) < FEWEST:
        return 1.0, 0.0
    wanted = np.where(targets == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scaled = parameters[0] * logits + parameters[1]
        error = expit(scaled) - wanted
        value = np.logaddexp(0, scaled).sum() - (wanted * scaled).sum()
        return float(value), np.array([(error * logits).sum(), error.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return float(found.x[0]), float(found.x[1])


def coverage(packed: PackedPredictions, intervals: IntervalCalibration, first: int = 0) -> dict[str, Floats]:
    """Return by level the share of targets inside their intervals, float64 ``[labels]``, NaN where there is none.

    Args:
        packed: predictions for other molecules, of the labels from number `first` on.
        intervals: of the whole task.
        first: the number of the first label.
    """
    units = np.ones(packed.labels) if packed.deviation is None else packed.deviation
    residuals = np.abs(packed.prediction.astype(np.float64) - packed.target) * units[packed.label]
    shares = {}
    for level, widths in intervals.widths.items():
        own = np.array(widths[first : first + packed.labels], np.float64)  # None becomes NaN
        inside = (residuals <= own[packed.label]).astype(np.float64)
        shares[level] = np.where(np.isnan(own), np.nan, packed.mean(inside))
    return shares


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


def _by_label(values: Floats, packed: PackedPredictions) -> list[Floats]:
    return np.split(values, np.cumsum(packed.used)[:-1])
