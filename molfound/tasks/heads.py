"""Heads: from the representation of a molecule, atom, edge or pair to a task's predictions."""

import torch
from torch import Tensor, nn

from molfound.config.schema import Count, Dropout
from molfound.nn.blocks import MLP, Activation, Norm, hidden_parts
from molfound.registry import Registry
from molfound.tasks.task import Task


class Head(nn.Module):
    """What predicts one task, at whatever level: the representation decides what a row is.

    A subclass takes `width_in` and `task`, declares its options keyword-only, and implements
    `forward(representation [R, width_in]) -> [R, L]`, or `[R, L, classes]` for a multiclass task: normalised units for
    a regression, logits for classes; or `[R, L, 2]`, mean and log variance, where the task `predicts_variance`.
    `self.outputs` is how many numbers that is per row; `self.shaped` gives a flat `[R, outputs]` its shape.

    Args:
        width_in: width of the representation.
        task: what to predict.

    Example:
        >>> import torch
        >>> from molfound.tasks.resolve import make_task
        >>> class Bilinear(Head):  # with @heads.register("bilinear") above it
        ...     def __init__(self, width_in: int, task: Task, *, rank: int = 8) -> None:
        ...         super().__init__(width_in, task)
        ...         self.left, self.right = nn.Linear(width_in, rank), nn.Linear(width_in, rank)
        ...         self.last = nn.Linear(rank, self.outputs)
        ...
        ...     def forward(self, representation: Tensor) -> Tensor:
        ...         return self.shaped(self.last(self.left(representation) * self.right(representation)))
        >>> task = make_task("shifts", "nmr", "node", "multiclass", ["bin"], classes=3)
        >>> Bilinear(16, task, rank=4)(torch.zeros(5, 16)).shape
        torch.Size([5, 1, 3])
    """

    def __init__(self, width_in: int, task: Task) -> None:
        super().__init__()
        self.width_in = width_in
        self.labels = len(task.labels)
        self.classes = task.classes
        self.numbers, self.outputs = task.numbers, task.outputs

    def forward(self, representation: Tensor) -> Tensor:
        """Return the predictions [R, L] or [R, L, classes] from representations [R, width_in]."""
        raise NotImplementedError

    def shaped(self, flat: Tensor) -> Tensor:
        """Return `flat` [R, outputs] as [R, L], [R, L, classes] or [R, L, 2]."""
        last = (self.labels,) if self.numbers == 1 and self.classes is None else (self.labels, self.numbers)
        return flat.view(*flat.shape[:-1], *last)


heads: Registry[type[Head]] = Registry("head")


@heads.register("linear")
class LinearHead(Head):
    """One linear map."""

    def __init__(self, width_in: int, task: Task) -> None:
        super().__init__(width_in, task)
        self.linear = nn.Linear(width_in, self.outputs)

    def forward(self, representation: Tensor) -> Tensor:
        """Return the predictions [R, L] or [R, L, classes]."""
        return self.shaped(self.linear(representation))


@heads.register("mlp")
class MLPHead(Head):
    """A multi-layer perceptron, `molfound.nn.blocks.MLP`.

    Args:
        width_in: width of the representation.
        task: what to predict.
        hidden: widths of the hidden layers; None: one of `width_in`.
        dropout: share of hidden units left out in training.
        activation: between the layers.
        norm: of the hidden layers: none, layer or batch.
    """

    def __init__(
        self,
        width_in: int,
        task: Task,
        *,
        hidden: list[Count] | None = None,
        dropout: Dropout = 0.0,
        activation: Activation = "relu",
        norm: Norm = "none",
    ) -> None:
        super().__init__(width_in, task)
        widths = [width_in] if hidden is None else hidden
        self.layers = MLP(width_in, widths, self.outputs, activation=activation, norm=norm, dropout=dropout)

    def forward(self, representation: Tensor) -> Tensor:
        """Return the predictions [R, L] or [R, L, classes]."""
        return self.shaped(self.layers(representation))


@heads.register("low_rank")
class LowRankHead(Head):
    """One linear map of low rank: to `rank` numbers that all labels share, and from these to each label.

    For thousands of labels: it has ``rank * (width_in + outputs)`` weights, `linear` has ``width_in * outputs``.

    Args:
        width_in: width of the representation.
        task: what to predict.
        rank: of the map.
    """

    def __init__(self, width_in: int, task: Task, *, rank: Count = 64) -> None:
        super().__init__(width_in, task)
        self.shared = nn.Linear(width_in, rank, bias=False)
        self.last = nn.Linear(rank, self.outputs)

    def forward(self, representation: Tensor) -> Tensor:
        """Return the predictions [R, L] or [R, L, classes]."""
        return self.shaped(self.last(self.shared(representation)))


@heads.register("label_bottleneck")
class LabelBottleneckHead(Head):
    """A perceptron for each label, with a small hidden layer of its own, all labels computed together.

    It has ``L * hidden * (width_in + classes)`` weights and holds ``R * L * hidden`` activations.

    Args:
        width_in: width of the representation.
        task: what to predict.
        hidden: units of each label's hidden layer.
        dropout: share of hidden units left out in training.
        activation: of the hidden layers.
    """

    def __init__(
        self,
        width_in: int,
        task: Task,
        *,
        hidden: Count = 8,
        dropout: Dropout = 0.0,
        activation: Activation = "relu",
    ) -> None:
        super().__init__(width_in, task)
        self.bottleneck = nn.Sequential(
            nn.Linear(width_in, self.labels * hidden),
            *hidden_parts(self.labels * hidden, activation, "none", dropout, in_place=True),
        )
        bound = hidden**-0.5
        self.weight = nn.Parameter(torch.empty(self.labels, hidden, self.numbers).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(self.outputs).uniform_(-bound, bound))

    def forward(self, representation: Tensor) -> Tensor:
        """Return the predictions [R, L] or [R, L, classes]."""
        hidden = self.bottleneck(representation).unflatten(-1, self.weight.shape[:2])
        last = torch.einsum("rlh,lhc->rlc", hidden, self.weight)
        return self.shaped(last.flatten(1) + self.bias)
