"""Which figures a training can watch, and which way is better."""

from collections.abc import Collection, Mapping

import numpy as np

from molfound.config.schema import TrainingConfig
from molfound.data.mixture import Mixture
from molfound.errors import MolfoundError, did_you_mean
from molfound.tasks.aggregation import greater_is_better, reported_metrics
from molfound.tasks.objectives import objectives as known_objectives
from molfound.tasks.task import Task


def check_monitors(
    config: TrainingConfig, tasks: Mapping[str, Task], graphs: Mixture, objectives: Collection[str] = ()
) -> None:
    """Refuse a figure to monitor that no epoch will have.

    Raises:
        MolfoundError: names the figure and the nearest one, or says why there is none.
    """
    names = figure_names(tasks, graphs, objectives)
    stopping = [] if config.early_stopping is None else [config.early_stopping.monitor]
    for name in (config.monitor, *stopping):
        if name in names:
            continue
        if name.startswith("val/") and len(graphs.positions("val")) == 0:
            raise MolfoundError(f"no dataset has a part 'val', so there is no '{name}' to monitor: take train/loss")
        if name.startswith("val/") and "val/loss" not in names:
            raise MolfoundError(f"no task has a label in part 'val', so there is no '{name}': take train/loss")
        task = tasks.get(name.split("/")[1]) if name.startswith("val/") else None
        if task is not None and not has_labels(task, "val", graphs):
            raise MolfoundError(f"task '{task.name}' has no label in part 'val', so there is no '{name}' to monitor")
        raise MolfoundError(f"no figure '{name}' to monitor{did_you_mean(name, names)}")


def figure_names(tasks: Mapping[str, Task], graphs: Mixture, objectives: Collection[str] = ()) -> list[str]:
    """Return the names of the figures of an epoch, such as ``train/loss`` and ``val/tox21/auroc``."""
    names = ["train/loss", *(f"train/{name}/loss" for name in tasks)]
    names += [f"train/{name}/{loss}" for name in objectives for loss in known_objectives[name].loss_names]
    held_out = [name for name, task in tasks.items() if has_labels(task, "val", graphs)]
    restored = list(objectives) if len(graphs.positions("val")) else []
    names += ["val/loss"] if held_out or restored else []
    for name in restored:
        objective = known_objectives[name]
        names += [f"val/{name}/{figure}" for figure in (*objective.loss_names, *objective.figure_names)]
    for name in held_out:
        names += [f"val/{name}/{figure}" for figure in ("loss", *reported_metrics(tasks[name]))]
    return names


def has_labels(task: Task, part: str, graphs: Mixture) -> bool:
    """Return whether any molecule of a part of the task's dataset has a label of the task."""
    positions = graphs.positions(part, task.dataset)
    chunks = graphs.collection.label_chunks(task.name)
    return any(np.diff(chunk.ptr)[chunk.chosen(positions)].any() for chunk in chunks)


def better_direction(figure: str) -> str:
    """Return ``"min"`` or ``"max"``: which way the figure of this name is better.

    >>> better_direction("val/tox21/auroc"), better_direction("val/loss")
    ('max', 'min')
    """
    _, _, owner = figure.partition("/")
    name, _, metric = owner.rpartition("/")
    if name in known_objectives:
        return "max" if metric.startswith("accuracy") else "min"
    return "max" if metric and metric != "loss" and greater_is_better(metric) else "min"
