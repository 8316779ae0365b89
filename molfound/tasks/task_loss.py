"""The loss of a task, with what it has to know of the training labels."""

from typing import Self

import torch
from torch import Tensor, nn

from molfound.tasks.label_summary import LabelSummary
from molfound.tasks.losses import LossSums, bound_loss, loss_sums, needs_counts, reduced
from molfound.tasks.task import Task


class TaskLoss(nn.Module):
    """A task's loss: elementwise, masked and reduced as the task says.

    A loss that weighs classes (`needs_counts`) has the counts of the training labels in a buffer, so that they travel
    with the model as the normaliser's statistics do. Until they are set or loaded they are 0.

    Args:
        task: whose loss it is.

    Example:
        >>> import numpy as np
        >>> from molfound.config.component import Component
        >>> from molfound.tasks.resolve import make_task
        >>> task = make_task("hits", "hits", "graph", "binary", ["a", "b"], loss=Component("balanced_bce"))
        >>> label, values = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1])
        >>> loss = TaskLoss(task).fit(LabelSummary.of(label, values, labels=2, classes=2))
        >>> loss.counts
        tensor([[3, 1],
                [0, 1]])
        >>> loss(torch.zeros(1, 2), torch.tensor([[1.0, float("nan")]])) / np.log(2)
        tensor(3.)
    """

    counts: Tensor | None

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.name, self.reduction = task.loss.name, task.reduction
        self._function = bound_loss(task.loss.name, task.loss.options)
        shape = (len(task.labels), task.classes or 2)
        self.register_buffer("counts", torch.zeros(shape, dtype=torch.int64) if needs_counts(self.name) else None)

    def fit(self, summary: LabelSummary) -> Self:
        """Take over the counts of the classes, which must come from training rows only, and return self."""
        if self.counts is not None:
            self.counts.copy_(torch.from_numpy(summary.classes))
        return self

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the loss of a batch, a scalar: `molfound.tasks.losses.masked_loss`."""
        return self.reduced(self.sums(prediction, target, weights))

    def sums(self, prediction: Tensor, target: Tensor, weights: Tensor | None = None) -> LossSums:
        """Return what the loss of a batch is made of."""
        return loss_sums(self._function, prediction, target, weights, counts=self.counts)

    def reduced(self, sums: LossSums) -> Tensor:
        """Return the loss that sums make, a scalar."""
        return reduced(sums, self.reduction)

    def values(self, label: Tensor, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of single values, [V].

        Args:
            label: integer [V], the label of each.
            prediction: [V], or [V, classes].
            target: [V], never NaN.
        """
        counts = [] if self.counts is None else [self.counts[label][:, None]]
        losses: Tensor = self._function(prediction[:, None], target[:, None], *counts)
        return losses[:, 0]

    def extra_repr(self) -> str:
        """Return what `repr` shows: the loss and how it is reduced."""
        return f"{self.name}, per {self.reduction}"
