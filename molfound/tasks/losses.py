"""Losses: elementwise functions in a registry, and the mean of one over the labels that are present."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor

from molfound.tasks.kinds import KindRegistry

ElementwiseLoss = Callable[..., Tensor]
Reduction = Literal["value", "label"]

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


@losses.register("cross_entropy", kinds=["multiclass"])
def cross_entropy(prediction: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits [R, L, classes] against class numbers [R, L], in nats, [R, L]."""
    flat = F.cross_entropy(prediction.flatten(0, 1), target.flatten().long(), reduction="none")
    return flat.view_as(target)


def bound_loss(name: str, options: dict[str, object] | None = None) -> ElementwiseLoss:
    """Return the registered loss with its options checked and bound: `f(prediction, target) -> [R, L]`.

    Raises:
        MolfoundError: an unknown loss or option, or an option of a wrong type.
    """
    return partial(losses[name], **losses.check(name, options or {}))


def masked_loss(
    elementwise: ElementwiseLoss,
    prediction: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    reduction: Reduction = "value",
) -> Tensor:
    """Return the weighted mean of an elementwise loss over the labels that are present, a float32 scalar.

    A missing label (NaN target) contributes exactly zero to the value and to the gradient, whatever is predicted
    there, NaN and infinity included. With no label present the result is exactly 0, still connected to the graph.

    Args:
        elementwise: `f(prediction, target) -> [R, L]`, see `bound_loss`.
        prediction: [R, L], or [R, L, classes]; normalised units or logits.
        target: float [R, L], NaN where missing.
        weights: [R], not negative: the weight of each row, for all its labels.
        reduction: ``"value"``: the mean over all present labels together, so that a label counts as often as it is
            present. ``"label"``: the mean over labels of each label's own mean, those absent from the batch left out.

    Example:
        >>> prediction = torch.tensor([[1.0, 5.0], [3.0, 0.0]])
        >>> target = torch.tensor([[0.0, float("nan")], [1.0, 4.0]])
        >>> masked_loss(mae, prediction, target).item(), masked_loss(mae, prediction, target, reduction="label").item()
        (2.3333332538604736, 2.75)
    """
    present = ~target.isnan()
    # Masking before the loss, not after it: 0 times the derivative at NaN or infinity is NaN.
    missing = (~present).view(*present.shape, *(1,) * (prediction.ndim - present.ndim))
    values = elementwise(prediction.float().masked_fill(missing, 0.0), target.float().masked_fill(~present, 0.0))
    value_weights = present.float() if weights is None else present * weights.float()[:, None]
    values = values.masked_fill(~present, 0.0) * value_weights
    if reduction == "value":
        return _mean(values.sum(), value_weights.sum())
    label_weights = value_weights.sum(0)
    return _mean(_mean(values.sum(0), label_weights).sum(), (label_weights > 0).sum())


def _mean(total: Tensor, weight: Tensor) -> Tensor:
    """Return total / weight, and the total itself (which is 0 then) where the weight is 0."""
    return total / torch.where(weight > 0, weight, torch.ones_like(weight))
