"""Conformal intervals: around a regression's predictions, as wide as molecules held out show them to be off."""

from collections.abc import Sequence

import numpy as np

from molfound.tasks.calibration import IntervalCalibration
from molfound.tasks.packed import Floats, PackedPredictions

LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95, 0.99)
"""The coverages that intervals are kept for."""


def conformal_widths(residuals: Floats, levels: Sequence[float] = LEVELS) -> list[float | None]:
    """Return half the width of the interval that covers a new value with at least each of these probabilities.

    It is the k-th smallest of n residuals with k = ⌈(n + 1) · level⌉, which holds for values that could be exchanged
    with those the residuals are of (split conformal prediction: Papadopoulos et al., 2002; Lei et al., 2018).

    Args:
        residuals: float64 ``[n]``, how far predictions were off, of molecules that the model has not learned from.
        levels: probabilities.

    Returns:
        The widths; None where n is too small for a finite one, or predictions were no numbers.

    Example:
        >>> conformal_widths(np.arange(1.0, 10.0), [0.5, 0.9, 0.95])
        [5.0, 9.0, None]
    """
    ascending = np.sort(residuals)
    # A little less than the product, whose rounding could be above a whole number.
    ranks = [int(np.ceil((len(residuals) + 1) * level - 1e-9)) for level in levels]
    known = int(np.isfinite(ascending).sum())  # numbers that are none stand last
    return [float(ascending[rank - 1]) if rank <= known else None for rank in ranks]


def calibrated_intervals(packed: PackedPredictions) -> IntervalCalibration:
    """Return the intervals of a regression's labels, from predictions of molecules held out."""
    units = np.ones(packed.labels) if packed.deviation is None else packed.deviation
    residuals = np.abs(packed.prediction.astype(np.float64) - packed.target) * units[packed.label]
    by_label = [conformal_widths(part) for part in packed.by_label(residuals)]
    return IntervalCalibration(
        widths={str(level): tuple(widths[place] for widths in by_label) for place, level in enumerate(LEVELS)}
    )


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
