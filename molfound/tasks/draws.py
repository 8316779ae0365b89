"""Several outputs of a head for the same rows, of models that differ by chance: what they say together."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from molfound.tasks.losses import LOG_VARIANCE
from molfound.tasks.task import Task


def mean_output(task: Task, draws: Tensor) -> Tensor:
    """Return the output of a head whose predictions are the mean of those of several draws.

    Of classes it is the probabilities that are averaged, not the logits. Where a variance is predicted, it is that of
    all draws together: the mean of their variances and the variance of their means (Lakshminarayanan et al., 2017).

    Args:
        task: whose head it is.
        draws: ``[D, R, L]``, ``[D, R, L, classes]`` or ``[D, R, L, 2]``; normalised units for a regression, logits for
            classes.

    Returns:
        What one draw has the shape and the units of.

    Example:
        >>> from molfound.tasks.resolve import make_task
        >>> task = make_task("toxic", "tox", "graph", "binary", ["toxic"])
        >>> mean_output(task, torch.tensor([[0.2], [0.6]]).logit()[:, None]).sigmoid()
        tensor([[0.4000]])
    """
    match task.kind:
        case "regression" if task.predicts_variance:
            return torch.stack([draws[..., 0].mean(0), deviation(task, draws).square().log()], dim=-1)
        case "regression":
            return draws.mean(0)
        case "binary":
            # From both tails, so that a probability near 1 keeps its digits.
            return F.logsigmoid(draws).logsumexp(0) - F.logsigmoid(-draws).logsumexp(0)
        case "multiclass":
            return draws.log_softmax(-1).logsumexp(0) - math.log(len(draws))


def deviation(task: Task, draws: Tensor) -> Tensor:
    """Return the standard deviation of the predictions, in normalised units or of probabilities.

    The draws count as if each were as probable as another (their squares are divided by D). To their variance is added
    the mean of the variances that they predict themselves, if any.

    Args:
        task: whose head it is.
        draws: as for `mean_output`; a single one only where it predicts a variance.

    Returns:
        ``[R, L]``, or ``[R, L, classes]`` for a multiclass task.

    Example:
        >>> from molfound.tasks.resolve import make_task
        >>> deviation(make_task("gap", "qm9", "graph", "regression", ["gap"]), torch.tensor([[[1.0]], [[3.0]]]))
        tensor([[1.]])
    """
    match task.kind:
        case "regression" if task.predicts_variance:
            variance = draws[..., 1].clamp(-LOG_VARIANCE, LOG_VARIANCE).exp().mean(0)
            return (variance + _variance(draws[..., 0])).sqrt()
        case "regression":
            return _variance(draws).sqrt()
        case "binary":
            return _variance(draws.sigmoid()).sqrt()
        case "multiclass":
            return _variance(draws.softmax(-1)).sqrt()


def _variance(draws: Tensor) -> Tensor:
    # torch's own warns where there is no row at all.
    return (draws - draws.mean(0)).square().mean(0)
