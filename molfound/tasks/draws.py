"""Several outputs of a head for the same rows, of models that differ by chance: what they say together."""

import math

import torch.nn.functional as F
from torch import Tensor

from molfound.config.schema import Kind


def mean_output(kind: Kind, draws: Tensor) -> Tensor:
    """Return the output of a head whose predictions are the mean of those of several draws.

    Of classes it is the probabilities that are averaged, not the logits.

    Args:
        kind: of the task.
        draws: ``[D, R, L]``, or ``[D, R, L, classes]``; normalised units for a regression, logits for classes.

    Returns:
        ``[R, L]`` or ``[R, L, classes]``, in the same units.

    Example:
        >>> import torch
        >>> draws = torch.tensor([[0.2], [0.6]]).logit()[:, None]
        >>> mean_output("binary", draws).sigmoid()
        tensor([[0.4000]])
    """
    match kind:
        case "regression":
            return draws.mean(0)
        case "binary":
            # From both tails, so that a probability near 1 keeps its digits.
            return F.logsigmoid(draws).logsumexp(0) - F.logsigmoid(-draws).logsumexp(0)
        case "multiclass":
            return draws.log_softmax(-1).logsumexp(0) - math.log(len(draws))


def spread(kind: Kind, draws: Tensor) -> Tensor:
    """Return the standard deviation of the predictions over the draws: normalised units, or probabilities.

    It is that of the draws themselves (divided by D), as if each were as probable as another.

    Args:
        kind: of the task.
        draws: as for `mean_output`.

    Example:
        >>> import torch
        >>> spread("regression", torch.tensor([[1.0], [3.0]])[:, None])
        tensor([[1.]])
    """
    match kind:
        case "regression":
            predictions = draws
        case "binary":
            predictions = draws.sigmoid()
        case "multiclass":
            predictions = draws.softmax(-1)
    return predictions.std(0, correction=0)
