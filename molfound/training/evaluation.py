"""Scores of a model over a part of a mixture, the same for validation, test and the `evaluate` command."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.model import MolecularModel
from molfound.tasks.losses import bound_loss
from molfound.tasks.packed import PackedPredictions
from molfound.tasks.task import Task
from molfound.tasks.task_metrics import TaskMetrics, TaskScores, task_scores
from molfound.training.objective import weighted_sum


@dataclass(frozen=True)
class Scores:
    """What an evaluation says of each task that has a label in the part.

    Attributes:
        losses: the task's loss over all labels of the part (sample weights are not applied).
        tasks: the task's metrics, per label.
    """

    losses: dict[str, float]
    tasks: dict[str, TaskScores]

    def figures(self, tasks: Mapping[str, Task]) -> dict[str, float]:
        """Return every figure by the name that `training.monitor` uses: ``loss``, ``tox21/auroc``, ``tox21/loss``."""
        figures = {"loss": weighted_sum(self.losses, tasks)} if self.losses else {}
        for name, loss in self.losses.items():
            figures[f"{name}/loss"] = loss
            figures |= {f"{name}/{metric}": value for metric, value in self.tasks[name].mean.items()}
        return figures

    def to_dict(self, tasks: Mapping[str, Task]) -> dict[str, Any]:
        """Return what JSON holds: task → metric → mean, values and counts by label, undefined labels."""
        return {name: scores.to_dict(tasks[name].labels) for name, scores in self.tasks.items()}


class Evaluation:
    """Collects predictions batch by batch and computes the scores of all tasks at the end.

    Args:
        model: whose tasks and normalisers are used.
    """

    def __init__(self, model: MolecularModel) -> None:
        self.tasks = model.tasks
        self.normalizers = model.normalizers
        self.metrics = {
            name: TaskMetrics(task, model.normalizers[name] if task.normalize != "none" else None)
            for name, task in model.tasks.items()
        }

    def update(self, predictions: Mapping[str, Tensor], batch: GraphBatch) -> None:
        """Add a batch: predictions as the heads give them, labels of the batch in original units."""
        for name, prediction in predictions.items():
            if name in batch.labels:
                target = self.normalizers[name].normalize(batch.labels[name])
                self.metrics[name].update(prediction.float().cpu(), target.cpu())

    def compute(self) -> Scores:
        """Return the scores; a task without any label in what was added is left out."""
        losses, scores = {}, {}
        # One task after the other: packing copies its predictions.
        for name, task in self.tasks.items():
            packed = self.metrics[name].packed()
            if len(packed.target):
                losses[name], scores[name] = packed_loss(packed, task), task_scores(task, packed)
        return Scores(losses, scores)


def evaluate(model: MolecularModel, batches: Iterable[GraphBatch]) -> Scores:
    """Return the scores of a model, in evaluation mode, over batches with labels."""
    evaluation = Evaluation(model)
    for predictions, batch in predicted(model, batches):
        evaluation.update(predictions, batch)
    return evaluation.compute()


def predicted(model: MolecularModel, batches: Iterable[GraphBatch]) -> Iterator[tuple[dict[str, Tensor], GraphBatch]]:
    """Yield what the heads of a model, in evaluation mode, give for each batch, and the batch, on its device."""
    model.eval()
    device = next(model.parameters()).device
    for batch in batches:
        moved = batch.to(device)
        with torch.no_grad():
            predictions = model(moved)
        yield predictions, moved


def packed_loss(packed: PackedPredictions, task: Task) -> float:
    """Return a task's loss over packed predictions, reduced as in training."""
    elementwise = bound_loss(task.loss.name, task.loss.options)
    prediction, target = torch.from_numpy(packed.prediction)[:, None], torch.from_numpy(packed.target)[:, None]
    values = elementwise(prediction, target)[:, 0].double().numpy()
    if task.reduction == "value":
        return float(values.mean())
    # Of labels that are there: one whose predictions are NaN must show.
    return float(packed.mean(values)[packed.used > 0].mean())
