"""The losses of a multi-task batch: one masked loss per task, and those of the objectives."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.model import MolecularModel
from molfound.tasks.objectives import Sums
from molfound.tasks.task import Task


def task_losses(model: MolecularModel, predictions: Mapping[str, Tensor], batch: GraphBatch) -> dict[str, Tensor]:
    """Return the loss of every task whose labels the batch has; of labels that are all missing it is 0.

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
        found[name] = model.losses[name](prediction, target, row_weights(batch, model.tasks[name]))
    return found


def with_present_labels(batch: GraphBatch) -> GraphBatch:
    """Return the batch without the labels of tasks that have none in it.

    To be asked where the labels are in the host's memory, for the answer from a GPU would have to be waited for.
    """
    labels = {name: values for name, values in batch.labels.items() if not bool(values.isnan().all())}
    return replace(batch, labels=labels)


def objective_losses(model: MolecularModel, sums: Mapping[str, Sums]) -> dict[str, Tensor]:
    """Return the losses of every objective from its sums, such as ``denoising/coordinates``."""
    return {
        f"{name}/{loss}": value
        for name, totals in sums.items()
        for loss, value in model.objectives[name].losses(totals).items()
    }


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
