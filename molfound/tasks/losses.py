"""Losses: elementwise functions in a registry, and the mean of one over the labels that are present."""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from molfound.tasks.kinds import KindRegistry

ElementwiseLoss = Callable[..., Tensor]
Reduction = Literal["value", "label"]
Share = Annotated[float, Field(ge=0, le=1)]

LOG_VARIANCE = 14.0
"""Bound of the logarithms of predicted variances: standard deviations of a thousandth and a thousand."""

losses: KindRegistry[ElementwiseLoss] = KindRegistry("loss")


@losses.register("mae", kinds=["regression"])
def mae(prediction: Tensor, target: Tensor) -> Tensor:
    """Absolute error, [R, L]."""
    return (prediction - target).abs()


@losses.register("mse", kinds=["regression"])
def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared error, [R, L]."""
    return (prediction - target).square()


@losses.register("huber", kinds=["regression"])
def huber(prediction: Tensor, target: Tensor, *, delta: PositiveFloat = 1.0) -> Tensor:
    """Half the squared error up to `delta` (> 0, in normalised units), linear beyond, [R, L] (Huber 1964)."""
    return F.huber_loss(prediction, target, reduction="none", delta=delta)


@losses.register("bce", kinds=["binary"])
def bce(prediction: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of logits [R, L] against targets 0 or 1, in nats, [R, L]."""
    return F.binary_cross_entropy_with_logits(prediction, target, reduction="none")


@losses.register("balanced_bce", kinds=["binary"])
def balanced_bce(
    prediction: Tensor,
    target: Tensor,
    counts: Tensor,
    *,
    beta: Annotated[float, Field(ge=0, lt=1)] | None = None,
    cap: PositiveFloat = 100.0,
) -> Tensor:
    """`bce` with the positives of each label weighted up against its negatives, in nats, [R, L].

    Args:
        prediction: [R, L], logits.
        target: [R, L], 0 or 1.
        counts: [L, 2], how many negatives and positives each label has among the training rows; or, one for each
            target, [R, L, 2].
        beta: None: a positive weighs negatives / positives. Else E(negatives) / E(positives) by the effective number
            of n samples E(n) = (1 - beta^n) / (1 - beta) (Cui et al. 2019, equation 3), from no balance at 0 to the
            ratio itself near 1.
        cap: the largest weight. A label of which the training rows have one class only has weight 1.

    Example:
        >>> counts = torch.tensor([[90, 10], [999, 1], [50, 0]])
        >>> balanced_bce(torch.zeros(1, 3), torch.ones(1, 3), counts) / math.log(2)
        tensor([[  9., 100.,   1.]])
    """
    effective = counts.float() if beta is None else _effective_number(counts.float(), beta)
    negative, positive = effective.unbind(-1)
    balanced = (negative / positive.clamp(min=1)).clamp(max=cap)
    weight = torch.where((counts > 0).all(-1), balanced, torch.ones_like(balanced))
    return bce(prediction, target) * torch.where(target > 0, weight, torch.ones_like(weight))


@losses.register("focal", kinds=["binary"])
def focal(prediction: Tensor, target: Tensor, *, gamma: NonNegativeFloat = 2.0, alpha: Share | None = 0.25) -> Tensor:
    """Focal loss of logits [R, L] against targets 0 or 1, [R, L] (Lin et al. 2017, equation 5).

    `bce` times (1 - p)^gamma, where p is the probability given to the true class: what is right already counts little.

    Args:
        prediction: [R, L], logits.
        target: [R, L], 0 or 1.
        gamma: at 0 the focal loss is `bce`.
        alpha: weight of a positive, a negative's being 1 - alpha; None: both weigh 1.
    """
    wrong = prediction * (1 - 2 * target)
    # As the exponential of a logarithm: the power of a probability of 0 has no finite derivative where gamma < 1.
    loss = (gamma * F.logsigmoid(wrong)).exp() * F.softplus(wrong)
    return loss if alpha is None else loss * (alpha * target + (1 - alpha) * (1 - target))


@losses.register("cross_entropy", kinds=["multiclass"])
def cross_entropy(prediction: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits [R, L, classes] against class numbers [R, L], in nats, [R, L]."""
    flat = F.cross_entropy(prediction.flatten(0, 1), target.flatten().long(), reduction="none")
    return flat.view_as(target)


@losses.register("hybrid_cross_entropy", kinds=["multiclass"])
def hybrid_cross_entropy(
    prediction: Tensor, target: Tensor, *, alpha: Share = 0.5, error: Literal["squared", "absolute"] = "squared"
) -> Tensor:
    """Cross-entropy and the error of the expected class, for classes that are bins of a number in their order, [R, L].

    alpha * cross-entropy + (1 - alpha) * error of the mean class number under the predicted probabilities: unlike the
    cross-entropy alone, it knows that a bin is nearer to its neighbours than to the others. Beaini et al. 2024 train
    the binned gene expressions of L1000 so.

    Args:
        prediction: [R, L, classes], logits.
        target: [R, L], class numbers.
        alpha: share of the cross-entropy.
        error: squared or absolute, in units of classes.
    """
    logarithm = prediction.log_softmax(-1)
    bins = torch.arange(prediction.shape[-1], device=prediction.device, dtype=prediction.dtype)
    miss = (logarithm.exp() * bins).sum(-1) - target
    entropy = -logarithm.gather(-1, target.long().unsqueeze(-1)).squeeze(-1)
    return alpha * entropy + (1 - alpha) * (miss.square() if error == "squared" else miss.abs())


@losses.register("gaussian_nll", kinds=["regression"])
def gaussian_nll(moments: Tensor, target: Tensor, *, beta: Share = 0.0) -> Tensor:
    """Negative logarithm of a normal density, less its constant, in nats, [R, L] (Nix and Weigend 1994).

    With it a head predicts of each label a mean and the logarithm of a variance: how far off it is, for each molecule.

    Args:
        moments: [R, L, 2], mean and log variance, in normalised units; the latter counts within ±`LOG_VARIANCE`.
        target: [R, L], normalised units.
        beta: times the variance to this power, which no gradient goes through: at 0 molecules with a large variance
            hardly move the mean, at 1 all do as in `mse`; 0.5 where the mean is learned badly (Seitzer et al. 2022).

    Example:
        >>> gaussian_nll(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[3.0]]))
        tensor([[2.]])
    """
    mean, log_variance = moments.unbind(-1)
    # The gradient goes on beyond the bounds, so that it leads back.
    log_variance = log_variance + (log_variance.clamp(-LOG_VARIANCE, LOG_VARIANCE) - log_variance).detach()
    likelihood = 0.5 * (log_variance + (mean - target).square() * (-log_variance).exp())
    return likelihood * (beta * log_variance.detach()).exp()


def bound_loss(name: str, options: dict[str, object] | None = None) -> ElementwiseLoss:
    """Return the registered loss with its options checked and bound: `f(prediction, target) -> [R, L]`.

    Raises:
        MolfoundError: an unknown loss or option, or an option of a wrong type.
    """
    return partial(losses[name], **losses.check(name, options or {}))


def needs_counts(name: str) -> bool:
    """Return whether a loss takes, after prediction and target, the `counts` of the training labels by class.

    >>> needs_counts("balanced_bce"), needs_counts("bce")
    (True, False)
    """
    return "counts" in inspect.signature(losses[name]).parameters


def predicts_variance(name: str) -> bool:
    """Return whether a loss is of a mean and a log variance for each label, [R, L, 2], its parameter `moments`.

    >>> predicts_variance("gaussian_nll"), predicts_variance("mse")
    (True, False)
    """
    return next(iter(inspect.signature(losses[name]).parameters), None) == "moments"


def masked_loss(
    elementwise: ElementwiseLoss,
    prediction: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    reduction: Reduction = "value",
    *,
    counts: Tensor | None = None,
    gather: bool | None = None,
) -> Tensor:
    """Return the weighted mean of an elementwise loss over the labels that are present, a float32 scalar.

    A missing label (NaN target) contributes exactly zero to the value and to the gradient, whatever is predicted
    there, NaN and infinity included. With no label present the result is exactly 0, still connected to the graph.

    Args:
        elementwise: `f(prediction, target) -> [R, L]`, see `bound_loss`.
        prediction: [R, L], or [R, L, classes]; normalised units or logits. [R, L, 2] where a loss `predicts_variance`.
        target: float [R, L], NaN where missing.
        weights: [R], not negative: the weight of each row, for all its labels.
        reduction: ``"value"``: the mean over all present labels together, so that a label counts as often as it is
            present. ``"label"``: the mean over labels of each label's own mean, those absent from the batch left out.
        counts: [L, classes], a third argument for a loss that `needs_counts`.
        gather: whether the loss is computed of the present labels alone, [V, 1], or of all, the missing ones masked.
            The result is the same but for rounding. None: gathered on a CPU; how many there are, a GPU would have to be
            waited for to tell.

    Example:
        >>> prediction = torch.tensor([[1.0, 5.0], [3.0, 0.0]])
        >>> target = torch.tensor([[0.0, float("nan")], [1.0, 4.0]])
        >>> masked_loss(mae, prediction, target).item(), masked_loss(mae, prediction, target, reduction="label").item()
        (2.3333332538604736, 2.75)
    """
    return reduced(loss_sums(elementwise, prediction, target, weights, counts=counts, gather=gather), reduction)


class LossSums(NamedTuple):
    """What the loss of a task is made of; those of several batches can be added.

    Attributes:
        totals: ``[L]``, the weighted losses of the values of each label.
        weights: ``[L]``, their weights; without sample weights, their number.
    """

    totals: Tensor
    weights: Tensor


def loss_sums(
    elementwise: ElementwiseLoss,
    prediction: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    *,
    counts: Tensor | None = None,
    gather: bool | None = None,
) -> LossSums:
    """Return the sums that `reduced` makes a loss of; the arguments are those of `masked_loss`."""
    gather = target.device.type == "cpu" if gather is None else gather
    sums = _gathered_sums if gather else _masked_sums
    return LossSums(*sums(elementwise, prediction, target, weights, () if counts is None else (counts,)))


def reduced(sums: LossSums, reduction: Reduction) -> Tensor:
    """Return the loss that sums over labels make, a scalar: see `masked_loss`."""
    if reduction == "value":
        return _mean(sums.totals.sum(), sums.weights.sum())
    return _mean(_mean(sums.totals, sums.weights).sum(), (sums.weights > 0).sum())


def _gathered_sums(
    elementwise: ElementwiseLoss,
    prediction: Tensor,
    target: Tensor,
    weights: Tensor | None,
    by_label: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """Return the sum over each label of the weighted losses, and of the weights, [L] each, from what is present."""
    labels = target.shape[1]
    row, label = (~target.isnan()).nonzero(as_tuple=True)
    place = row * labels + label
    values = elementwise(
        prediction.flatten(0, 1).index_select(0, place).float()[:, None],
        target.flatten().index_select(0, place).float()[:, None],
        *(known.index_select(0, label)[:, None] for known in by_label),
    )[:, 0]
    value_weights = torch.ones_like(values) if weights is None else weights.index_select(0, row).float()
    nothing = values.new_zeros(labels)
    return nothing.index_add(0, label, values * value_weights), nothing.index_add(0, label, value_weights)


def _masked_sums(
    elementwise: ElementwiseLoss,
    prediction: Tensor,
    target: Tensor,
    weights: Tensor | None,
    by_label: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """Return what `_gathered_sums` does, from all places, the missing ones masked."""
    present = ~target.isnan()
    # Masking before the loss, not after it: 0 times the derivative at NaN or infinity is NaN.
    missing = (~present).view(*present.shape, *(1,) * (prediction.ndim - present.ndim))
    values = elementwise(
        prediction.float().masked_fill(missing, 0.0), target.float().masked_fill(~present, 0.0), *by_label
    )
    value_weights = present.float() if weights is None else present * weights.float()[:, None]
    return (values.masked_fill(~present, 0.0) * value_weights).sum(0), value_weights.sum(0)


def _mean(total: Tensor, weight: Tensor) -> Tensor:
    """Return total / weight, and the total itself (which is 0 then) where the weight is 0."""
    return total / torch.where(weight > 0, weight, torch.ones_like(weight))


def _effective_number(counts: Tensor, beta: float) -> Tensor:
    """Return (1 - beta^n) / (1 - beta) of each count n."""
    rate = math.log(beta) if beta > 0 else -math.inf
    return torch.where(counts > 0, -torch.expm1(counts * rate) / (1 - beta), torch.zeros_like(counts))
