"""Whether predicted deviations are as large as the errors, and largest where the errors are."""

import numpy as np

from molfound.tasks.losses import LOG_VARIANCE
from molfound.tasks.packed import Floats, PackedPredictions, divide


def deviation_figures(packed: PackedPredictions) -> dict[str, Floats]:
    """Return what the errors of predictions say of their predicted variances, by figure, float64 ``[labels]``.

    ``z_scores`` is the root of the mean square of the errors in units of their deviations: 1 is right, and more means
    that the model takes itself for better than it is. ``error_rank`` is Spearman's correlation of deviation and
    absolute error, NaN where either is the same everywhere. A figure is NaN for a label that cannot be computed.

    Args:
        packed: with log variances.

    Example:
        >>> packed = PackedPredictions(
        ...     label=np.zeros(3, np.int32), prediction=np.array([0, 1, 2], np.float32), labels=1,
        ...     target=np.array([1, 3, 5], np.float32), log_variance=np.log(np.array([1, 4, 9], np.float32)),
        ... )
        >>> {name: values.round(3).tolist() for name, values in deviation_figures(packed).items()}
        {'z_scores': [1.0], 'error_rank': [1.0]}
    """
    assert packed.log_variance is not None
    deviation = np.exp(0.5 * np.clip(packed.log_variance, -LOG_VARIANCE, LOG_VARIANCE))
    error = np.abs(packed.prediction - packed.target)
    ranks = [packed.centred(packed.ranks(values)) for values in (deviation, error)]
    products = packed.total(ranks[0] * ranks[1])
    figures = {
        "z_scores": np.sqrt(packed.mean(np.square((error / deviation).astype(np.float64)))),
        "error_rank": divide(products, np.sqrt(packed.total(ranks[0] ** 2) * packed.total(ranks[1] ** 2))),
    }
    return {name: np.where(packed.computable, values, np.nan) for name, values in figures.items()}
