"""What a ranking by probability is worth: the points of ROC, precision-recall and reliability plots."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

VERTICES = 150  # of a curve
RELIABILITY_BINS = 10


def roc_curve(target: Values, prediction: Values) -> tuple[Values, Values]:
    """Return false and true positive rates over descending thresholds, from (0, 0) to (1, 1), at most `VERTICES` each.

    Targets are 0 or 1, both there. Equal predictions are one threshold.
    """
    positives, negatives = _counts(target, prediction)
    true = np.concatenate([[0.0], positives / positives[-1]])
    false = np.concatenate([[0.0], negatives / negatives[-1]])
    kept = _thinned(false + true)
    return false[kept], true[kept]


def precision_recall_curve(target: Values, prediction: Values) -> tuple[Values, Values]:
    """Return recall and precision over descending thresholds as the corners of steps, of at most `VERTICES` thresholds.

    Each threshold's precision holds over the recall that it adds, so that the area below is the average precision; a
    curve that was thinned keeps the exact points of the thresholds that are left. Targets are 0 or 1, with a 1.
    """
    positives, negatives = _counts(target, prediction)
    kept = _thinned(positives)
    recall, precision = positives[kept] / positives[-1], (positives / (positives + negatives))[kept]
    return np.concatenate([[0.0], np.repeat(recall, 2)[:-1]]), np.repeat(precision, 2)


def reliability(
    pieces: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]],
) -> tuple[Values, Values, NDArray[np.int64]]:
    """Return the mean probability, the share of targets that are 1 and the number of values in bins of equal width.

    Empty bins are left out; a probability of 1 is in the last.

    Args:
        pieces: targets and predictions, some at a time.
    """
    sums = np.zeros((3, RELIABILITY_BINS))
    for target, prediction in pieces:
        said, true = prediction.astype(np.float64), target.astype(np.float64)
        bins = np.clip((said * RELIABILITY_BINS).astype(np.int64), 0, RELIABILITY_BINS - 1)
        sums += [np.bincount(bins, weights, RELIABILITY_BINS) for weights in (said, true, np.ones_like(said))]
    said, true, counts = sums[:, sums[2] > 0]
    return said / counts, true / counts, counts.astype(np.int64)


def _counts(target: Values, prediction: Values) -> tuple[Values, Values]:
    """Return how many of each class lie at or above each threshold, from the highest on."""
    order = np.argsort(-prediction, kind="stable")
    last_of_tie = np.flatnonzero(np.diff(prediction[order], append=np.inf))
    positives = np.cumsum(target[order])[last_of_tie]
    return positives, last_of_tie + 1 - positives


def _thinned(progress: Values) -> NDArray[np.int64]:
    """Return places about evenly spread over what grows along a curve, the first and the last among them."""
    wanted = np.linspace(progress[0], progress[-1], VERTICES)
    return np.unique(np.concatenate([[0], np.searchsorted(progress, wanted), [len(progress) - 1]]))
