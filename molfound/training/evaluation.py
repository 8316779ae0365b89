"""Scores of a model over a part of a mixture, the same for validation, test and the `evaluate` command."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.model import MolecularModel, TaskModel
from molfound.tasks.corruption import CorruptedBatch
from molfound.tasks.losses import Reduction
from molfound.tasks.objectives import Sums
from molfound.tasks.packed import Floats, Ints
from molfound.tasks.task import Task
from molfound.tasks.task_loss import TaskLoss
from molfound.tasks.task_metrics import MEMORY, Block, TaskMetrics, TaskScores, label_scores
from molfound.training.corrupting import Corruptor
from molfound.training.objective import loss_figure, objective_losses
from molfound.training.processes import ALONE, Processes
from molfound.training.weighting import TaskWeighting


@dataclass(frozen=True)
class Scores:
    """What an evaluation says of each task that has a label in the part, and of the objectives.

    Attributes:
        losses: the task's loss over all labels of the part (sample weights are not applied); those of the objectives.
        tasks: the task's metrics, per label.
        objectives: what each objective tells beside its losses.
    """

    losses: dict[str, float]
    tasks: dict[str, TaskScores]
    objectives: dict[str, dict[str, float]]

    def figures(self, weighting: TaskWeighting) -> dict[str, float]:
        """Return every figure by the name that `training.monitor` uses: ``loss``, ``tox21/auroc``, ``tox21/loss``."""
        figures = {"loss": weighting.figure(self.losses)} if self.losses else {}
        figures |= {loss_figure(name): loss for name, loss in self.losses.items()}
        for name, scores in self.tasks.items():
            figures |= {f"{name}/{metric}": value for metric, value in scores.mean.items()}
        for name, values in self.objectives.items():
            figures |= {f"{name}/{figure}": value for figure, value in values.items()}
        return figures

    def restored(self) -> dict[str, dict[str, float | None]]:
        """Return what JSON holds of the objectives: objective → loss or figure → value, None where undefined."""
        found: dict[str, dict[str, float | None]] = {}
        for name, told in self.objectives.items():
            losses = {key.partition("/")[2]: loss for key, loss in self.losses.items() if key.startswith(f"{name}/")}
            found[name] = {key: value if math.isfinite(value) else None for key, value in {**losses, **told}.items()}
        return found

    def to_dict(self, tasks: Mapping[str, Task]) -> dict[str, Any]:
        """Return what JSON holds: task → metric → mean, values and counts by label, undefined labels."""
        return {name: scores.to_dict(tasks[name].labels) for name, scores in self.tasks.items()}


class Evaluation:
    """Collects predictions batch by batch and computes the scores of all tasks at the end.

    Args:
        model: whose tasks, normalisers and objectives are used.
        corruptor: takes from the batches what the objectives restore; None: they are not evaluated.
        memory: bytes of predictions that are held in memory, of all tasks together; what is beyond goes to a temporary
            file.
        processes: each of which adds batches of its own; all of them must ask for scores, and get the same.
    """

    def __init__(
        self,
        model: TaskModel,
        corruptor: Corruptor | None = None,
        *,
        memory: int = MEMORY,
        processes: Processes = ALONE,
    ) -> None:
        self.model, self.corruptor, self.memory, self.processes = model, corruptor, memory, processes
        self.tasks = model.tasks
        self.sums: dict[str, Sums] = {}
        self.normalizers = model.normalizers
        self.metrics = {
            name: TaskMetrics(
                task,
                model.normalizers[name] if task.normalize != "none" else None,
                memory=memory,
                group=processes.group,
            )
            for name, task in model.tasks.items()
        }

    def update(self, predictions: Mapping[str, Tensor], batch: GraphBatch) -> None:
        """Add a batch: predictions as the heads give them, labels of the batch in original units."""
        for name, prediction in predictions.items():
            if name in batch.labels:
                target = self.normalizers[name].normalize(batch.labels[name])
                self.metrics[name].update(prediction, target)

        if sum(metrics.held for metrics in self.metrics.values()) > self.memory:
            for metrics in self.metrics.values():
                metrics.spill()

        if self.corruptor is not None:
            self._update_objectives(self.corruptor(batch, "evaluation"))

    @torch.no_grad()
    def _update_objectives(self, corrupted: CorruptedBatch) -> None:
        assert isinstance(self.model, MolecularModel)  # an ensemble has no objectives
        _, sums = self.model.restore(corrupted)
        added = {
            name: {key: value.detach().double().cpu() for key, value in totals.items()} for name, totals in sums.items()
        }
        self.sums = _added(self.sums, added)

    def compute(self) -> Scores:
        """Return the scores; a task without any label in what was added is left out."""
        losses, scores = {}, {}
        for name, task in self.tasks.items():
            metrics = self.metrics[name]
            used = metrics.used()
            if used.any():
                loss = self.model.losses[name]
                blocks = [(loss_totals(block, loss), label_scores(task, block.packed)) for block in metrics.blocks()]
                losses[name] = reduced_loss(np.concatenate([totals for totals, _ in blocks]), used, loss.reduction)
                scores[name] = metrics.complete([of_block for _, of_block in blocks])
        restored = reduce(_added, self.processes.gathered(self.sums))
        losses |= {name: float(loss) for name, loss in objective_losses(self.model, restored).items()}
        told = {name: self.model.objectives[name].figures(sums) for name, sums in restored.items()}
        return Scores(losses, scores, told)


def _added(some: dict[str, Sums], others: dict[str, Sums]) -> dict[str, Sums]:
    """Return the sums of two lots of batches, either of which may be empty."""
    if not some or not others:
        return some or others
    return {name: {key: value + others[name][key] for key, value in sums.items()} for name, sums in some.items()}


def evaluate(
    model: TaskModel, batches: Iterable[GraphBatch], corruptor: Corruptor | None = None, *, memory: int = MEMORY
) -> Scores:
    """Return the scores of a model, in evaluation mode, over batches with labels.

    Args:
        model: to be evaluated.
        batches: of a part.
        corruptor: for the objectives; None: they are not evaluated.
        memory: see `Evaluation`.
    """
    evaluation = Evaluation(model, corruptor, memory=memory)
    for predictions, batch in predicted(model, batches):
        evaluation.update(predictions, batch)
    return evaluation.compute()


def predicted(model: TaskModel, batches: Iterable[GraphBatch]) -> Iterator[tuple[dict[str, Tensor], GraphBatch]]:
    """Yield what the heads of a model, in evaluation mode, give for each batch, and the batch, on its device."""
    model.eval()
    device = next(model.parameters()).device
    for batch in batches:
        moved = batch.to(device)
        with torch.no_grad():
            predictions = model(moved)
        yield predictions, moved


def loss_totals(block: Block, loss: TaskLoss) -> Floats:
    """Return the sum of a task's loss over the values of each label of a block, float64 [L]."""
    packed = block.packed
    device = torch.device("cpu") if loss.counts is None else loss.counts.device
    parts = packed.label + np.int32(block.first), packed.outputs, packed.target
    label, prediction, target = (torch.from_numpy(part).to(device) for part in parts)
    return packed.total(loss.values(label, prediction, target).cpu().double().numpy())


def reduced_loss(totals: Floats, used: Ints, reduction: Reduction) -> float:
    """Return a task's loss, reduced as in training, from each label's sum and number of values, [L] both."""
    if reduction == "value":
        return float(totals.sum() / used.sum())
    # Of labels that are there: one whose predictions are NaN must show.
    return float((totals[used > 0] / used[used > 0]).mean())
