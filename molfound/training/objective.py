"""The losses of a multi-task batch: one masked loss per task, and those of the objectives."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.model import MolecularModel, TaskModel
from molfound.tasks.losses import LossSums
from molfound.tasks.objectives import Sums
from molfound.tasks.task import Task
from molfound.training.processes import Processes


def task_sums(model: MolecularModel, predictions: Mapping[str, Tensor], batch: GraphBatch) -> dict[str, LossSums]:
    """Return what the loss of every task is made of whose labels the batch has.

    Args:
        model: whose tasks, normalisers and losses are used.
        predictions: for each task, ``[R, L]`` or ``[R, L, classes]`` as the heads give it.
        batch: holds the labels, in original units; see `with_present_labels`.
    """
    found = {}
    for name, prediction in predictions.items():
        labels = batch.labels.get(name)
        if labels is None:
            continue
        target = model.normalizers[name].normalize(labels)
        found[name] = model.losses[name].sums(prediction, target, row_weights(batch, model.tasks[name]))
    return found


def task_losses(model: MolecularModel, sums: Mapping[str, LossSums]) -> dict[str, Tensor]:
    """Return the losses of tasks from their sums; of labels that are all missing it is 0."""
    return {name: model.losses[name].reduced(totals) for name, totals in sums.items()}


def with_present_labels(batch: GraphBatch) -> GraphBatch:
    """Return the batch without the labels of tasks that have none in it.

    To be asked where the labels are in the host's memory, for the answer from a GPU would have to be waited for.
    """
    labels = {name: values for name, values in batch.labels.items() if not bool(values.isnan().all())}
    return replace(batch, labels=labels)


def objective_losses(model: TaskModel, sums: Mapping[str, Sums]) -> dict[str, Tensor]:
    """Return the losses of every objective from its sums, such as ``denoising/coordinates``."""
    return {
        f"{name}/{loss}": value
        for name, totals in sums.items()
        for loss, value in model.objectives[name].losses(totals).items()
    }


class StepSums(NamedTuple):
    """What the losses of a batch are made of.

    Attributes:
        tasks: of each task that has a label in it.
        objectives: of each objective.
    """

    tasks: dict[str, LossSums]
    objectives: dict[str, Sums]

    def losses(self, model: MolecularModel) -> dict[str, Tensor]:
        """Return the losses, by task and objective."""
        return task_losses(model, self.tasks) | objective_losses(model, self.objectives)


def added_up(sums: StepSums, model: MolecularModel, processes: Processes, flag: bool) -> tuple[StepSums, bool]:
    """Return the sums of the whole batch, of which this process has a share, and whether any process has the flag set.

    All is sent at once. A task that has no label in any share is left out, as it is from the batch of one process.
    """
    if not processes.several:
        return sums, flag
    device = next(model.parameters()).device
    flags = [flag, *(name in sums.tasks for name in model.tasks)]
    parts: list[Tensor] = [torch.tensor(flags, dtype=torch.float32, device=device)]
    for name, task in model.tasks.items():
        absent = torch.zeros(len(task.labels), device=device)
        parts += sums.tasks.get(name, LossSums(absent, absent))
    parts += [value.float() for totals in sums.objectives.values() for value in totals.values()]
    whole = processes.total(torch.cat([part.flatten() for part in parts]))
    values = iter(
        value.view_as(part) for value, part in zip(torch.split(whole, [p.numel() for p in parts]), parts, strict=True)
    )
    flagged, *present = next(values).tolist()
    tasks = {name: LossSums(next(values), next(values)) for name in model.tasks}
    objectives = {name: {key: next(values) for key in totals} for name, totals in sums.objectives.items()}
    labelled = {name: totals for (name, totals), there in zip(tasks.items(), present, strict=True) if there}
    return StepSums(labelled, objectives), flagged > 0


def loss_figure(name: str) -> str:
    """Return the name of a loss among the figures of an epoch.

    >>> loss_figure("tox21"), loss_figure("denoising/coordinates")
    ('tox21/loss', 'denoising/coordinates')
    """
    return name if "/" in name else f"{name}/loss"


def row_weights(batch: GraphBatch, task: Task) -> Tensor | None:
    """Return the sample weight of each row of a task's labels, ``[R]``: a molecule's for all its nodes or edges."""
    weights = batch.weights.get(task.dataset)
    if weights is None or task.level == "graph":
        return weights
    first, last = batch.datasets[task.dataset]
    return torch.repeat_interleave(weights, batch.item_ptr(task.level)[first : last + 1].diff())
