"""What predicts tasks: one model, or several whose predictions are averaged."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from molfound.data.batch import GraphBatch
from molfound.model.specification import ModelSpecification
from molfound.tasks.draws import deviation as deviation_of
from molfound.tasks.draws import mean_output
from molfound.tasks.normalization import Normalizer
from molfound.tasks.objectives import Objective
from molfound.tasks.task import Task
from molfound.tasks.task_loss import TaskLoss

Draw = Mapping[str, Tensor]
"""What the heads give, by task: normalised units for a regression, logits for classes."""


class TaskModel(nn.Module):
    """What predicts tasks by one or several *draws*, whose mean is the prediction and whose spread tells its deviation.

    A subclass implements `draws`, and sets the attributes.

    Attributes:
        specification: of its features, encodings and tasks.
        tasks: by name.
        objectives: by name.
        normalizers: by task; the units of what the heads give.
        losses: by task.
    """

    specification: ModelSpecification
    tasks: dict[str, Task]
    objectives: "Objectives"
    normalizers: "Normalizers"
    losses: "TaskLosses"

    def draws(self, batch: GraphBatch, datasets: Mapping[str, str | None] | None = None) -> Sequence[Draw]:
        """Return what the heads give, once or several times.

        Args:
            batch: the graphs.
            datasets: of some tasks the dataset on whose graphs they are predicted, or None for all graphs; None: all
                tasks, for all graphs.
        """
        raise NotImplementedError

    @property
    def deviating(self) -> Sequence[str]:
        """The tasks whose predictions come with a standard deviation."""
        raise NotImplementedError

    @property
    def represents_pairs(self) -> bool:
        """Whether its memory grows with the pairs of atoms."""
        raise NotImplementedError

    def forward(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Return the predictions of each task whose dataset is in the batch, on that dataset's rows only.

        Returns:
            By task ``[R, L]`` or ``[R, L, classes]``, rows as in ``batch.labels``: normalised units for a regression,
            logits for classes; ``[R, L, 2]``, mean and log variance, where a task `predicts_variance`.
        """
        return self._mean(self.draws(batch, self._own_datasets(batch)))

    def predict(
        self,
        batch: GraphBatch,
        adjusted: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
        *,
        deviation: bool = False,
    ) -> dict[str, Tensor]:
        """Return the predictions of every task for every graph of the batch, whatever their datasets.

        Args:
            batch: the graphs.
            adjusted: what is made of the float32 logits of some tasks before they become probabilities.
            deviation: also return, as ``TASK.deviation``, the standard deviations of the tasks that have some
                (`deviating`), of the shape of the predictions and in their units; those of probabilities are of what
                the draws say, adjusted or not.

        Returns:
            By task float32 ``[R, L]`` in original units for a regression, ``[R, L]`` probabilities of class 1 for a
            binary task, ``[R, L, classes]`` probabilities for a multiclass one; R counts graphs, nodes, edges or pairs.
        """
        drawn = self.draws(batch)
        raw = self._mean(drawn)
        raw |= {name: adjust(raw[name].float()) for name, adjust in (adjusted or {}).items()}
        predicted = {name: self.finished(name, values) for name, values in raw.items()}
        if deviation:
            predicted |= {f"{name}.deviation": self._deviation(name, drawn) for name in self.deviating}
        return predicted

    def finished(self, name: str, values: Tensor) -> Tensor:
        """Return what the head of a task gave, in float32 and as `predict` says: original units or probabilities."""
        values = values.float()
        match self.tasks[name].kind:
            case "regression":
                means = values[..., 0] if self.tasks[name].predicts_variance else values
                return self.normalizers[name].denormalize(means)
            case "binary":
                return values.sigmoid()
            case "multiclass":
                return values.softmax(dim=-1)

    def _own_datasets(self, batch: GraphBatch) -> dict[str, str | None]:
        return {name: task.dataset for name, task in self.tasks.items() if task.dataset in batch.datasets}

    def _mean(self, drawn: Sequence[Draw]) -> dict[str, Tensor]:
        """Return what heads would give whose predictions are the mean of those of the draws."""
        if len(drawn) == 1:
            return dict(drawn[0])
        return {name: mean_output(self.tasks[name], _stacked(drawn, name)) for name in drawn[0]}

    def _deviation(self, name: str, drawn: Sequence[Draw]) -> Tensor:
        task = self.tasks[name]
        deviation = deviation_of(task, _stacked(drawn, name))
        return deviation * self.normalizers[name].deviation if task.kind == "regression" else deviation


class Objectives(nn.ModuleDict):
    """Objectives by name."""

    def __getitem__(self, key: str) -> Objective:
        """Return an objective."""
        objective = super().__getitem__(key)
        assert isinstance(objective, Objective)
        return objective


class Normalizers(nn.ModuleDict):
    """Normalisers by task."""

    def __getitem__(self, key: str) -> Normalizer:
        """Return a task's normaliser."""
        normalizer = super().__getitem__(key)
        assert isinstance(normalizer, Normalizer)
        return normalizer


class TaskLosses(nn.ModuleDict):
    """Losses by task."""

    def __getitem__(self, key: str) -> TaskLoss:
        """Return a task's loss."""
        loss = super().__getitem__(key)
        assert isinstance(loss, TaskLoss)
        return loss


def _stacked(drawn: Sequence[Draw], name: str) -> Tensor:
    return torch.stack([draw[name].float() for draw in drawn])
