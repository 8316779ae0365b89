"""The loss of a multi-task batch: one masked loss per task, those of the objectives, and their weighted sum."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.model import MolecularModel
from molfound.tasks.losses import ElementwiseLoss, bound_loss, masked_loss
from molfound.tasks.objectives import Sums
from molfound.tasks.task import Task


def bound_losses(tasks: Mapping[str, Task]) -> dict[str, ElementwiseLoss]:
    """Return each task's elementwise loss, its options checked and bound."""
    return {name: bound_loss(task.loss.name, task.loss.options) for name, task in tasks.items()}


def task_losses(
    model: MolecularModel,
    losses: Mapping[str, ElementwiseLoss],
    predictions: Mapping[str, Tensor],
    batch: GraphBatch,
) -> dict[str, Tensor]:
    """Return the loss of every task whose labels the batch has; of labels that are all missing it is 0.

    Args:
        model: whose normalisers and tasks are used.
        losses: of each task, from `bound_losses`.
        predictions: for each task, ``[R, L]`` or ``[R, L, classes]`` as the heads give it.
        batch: holds the labels, in original units; see `with_present_labels`.
    """
    found = {}
    for name, prediction in predictions.items():
        labels = batch.labels.get(name)
        if labels is None:
            continue
        task = model.tasks[name]
        found[name] = masked_loss(
            losses[name],
            prediction,
            model.normalizers[name].normalize(labels),
            row_weights(batch, task),
            task.reduction,
        )
    return found


def with_present_labels(batch: GraphBatch) -> GraphBatch:
    """Return the batch without the labels of tasks that have none in it.

    To be asked where the labels are in the host's memory, for the answer from a GPU would have to be waited for.
    """
    labels = {name: values for name, values in batch.labels.items() if not bool(values.isnan().all())}
    return replace(batch, labels=labels)


def objective_losses(model: MolecularModel, sums: Mapping[str, Sums]) -> dict[str, Tensor]:
    """Return the losses of every objective from its sums, by the names in `MolecularModel.loss_weights`."""
    return {
        f"{name}/{loss}": value
        for name, totals in sums.items()
        for loss, value in model.objectives[name].losses(totals).items()
    }


def total_loss(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the sum of the losses, each times its weight: a scalar, 0 if there is none."""
    weighted = [weights[name] * loss for name, loss in losses.items()]
    return torch.stack(weighted).sum() if weighted else torch.zeros(())


def weighted_sum(losses: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the sum of the losses as plain numbers, each times its weight."""
    return sum(weights[name] * loss for name, loss in losses.items())


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
