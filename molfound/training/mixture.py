"""An experiment's data with its tasks: prepared, loaded and split."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from molfound.config.component import Component
from molfound.config.schema import Experiment
from molfound.data.manifest import Manifest
from molfound.data.mixture import Mixture, load_manifests, load_mixture, prepare_datasets, table_columns
from molfound.data.preparation_report import PreparationReport
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, count_parameters, specify
from molfound.tasks.label_summary import LabelSummary, class_count
from molfound.tasks.losses import needs_counts
from molfound.tasks.normalization import Normalizer
from molfound.tasks.resolve import resolve_tasks
from molfound.tasks.task import Task
from molfound.training.baselines import LabelledMolecules, LabelPairs
from molfound.training.weighting import TaskWeighting, WeighedTask, make_weighting

MOLECULES_AT_ONCE = 4096  # whose labels are gathered with the rest of their batch


@dataclass(frozen=True)
class TaskMixture:
    """The graphs of a mixture and the tasks learned on them.

    Attributes:
        graphs: the loaded datasets and their parts.
        tasks: by name.
    """

    graphs: Mixture
    tasks: dict[str, Task]

    def __str__(self) -> str:
        tasks = ", ".join(f"{name} ({len(task.labels)})" for name, task in self.tasks.items())
        return f"{self.graphs}; tasks {tasks}" if tasks else str(self.graphs)

    @cached_property
    def training_labels(self) -> dict[str, LabelSummary]:
        """What is known of the labels that the training molecules have, by task."""
        return {name: _summary(task, label_pairs(self, task, "train")) for name, task in self.tasks.items()}

    def labelled(self, task: Task, part: str) -> LabelledMolecules:
        """Return the molecules of a part of a task's dataset with their labels, one dense table of them."""
        positions = self.graphs.positions(part, task.dataset)
        if len(positions) == 0:
            return LabelledMolecules([], np.empty((0, len(task.labels)), np.float32))
        first = self.graphs.collection.ranges[task.dataset][0]
        smiles = self.graphs.smiles[task.dataset].take(positions - first).to_pylist()
        chunks = np.array_split(positions, -(-len(positions) // MOLECULES_AT_ONCE))
        labels = [self.graphs.collection.batch(chunk).labels[task.name].numpy() for chunk in chunks]
        return LabelledMolecules(smiles, np.concatenate(labels))


def experiment_tasks(experiment: Experiment, *, progress: bool = True) -> tuple[dict[str, Manifest], dict[str, Task]]:
    """Return the manifests of an experiment's datasets and its tasks, after its plugins are loaded.

    A generated table is made if it is not there yet, which `progress` shows.

    Raises:
        MolfoundError: a mistake in a manifest or a task, or a table that is not there.
    """
    manifests = load_manifests(experiment)
    return manifests, resolve_tasks(experiment, manifests, table_columns(experiment, manifests, progress=progress))


def load_task_mixture(experiment: Experiment, say: Callable[[str], None] | None) -> TaskMixture:
    """Prepare and load an experiment's data, after its plugins are loaded.

    Args:
        experiment: names datasets and tasks.
        say: is told what was prepared; None: nothing is told.

    Raises:
        MolfoundError: a mistake in the experiment, its model, its tasks or its data.
    """
    manifests, tasks = experiment_tasks(experiment, progress=say is not None)
    # A mistake in the model is found now, not after the data are prepared.
    count_parameters(specify(experiment, tasks))
    mixture = TaskMixture(load_mixture(experiment, manifests, tasks, say), tasks)
    for task in tasks.values():
        check_training_labels(mixture, task, say)
    return mixture


def check_training_labels(mixture: TaskMixture, task: Task, say: Callable[[str], None] | None) -> None:
    """Say which labels of a task no training molecule has: what is predicted for them means nothing.

    Raises:
        MolfoundError: no training molecule has any label of the task.
    """
    counts = mixture.training_labels[task.name].count
    missing = [name for name, count in zip(task.labels, counts, strict=True) if count == 0]
    if len(missing) == len(task.labels):
        raise MolfoundError(f"task '{task.name}' has no label in the training part of dataset '{task.dataset}'")
    if missing and say is not None:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        say(f"task '{task.name}': {len(missing)} of {len(task.labels)} labels have no training value: {shown}")


def prepare_mixture(experiment: Experiment) -> dict[str, PreparationReport]:
    """Prepare the stores of an experiment's datasets, and say what was done for each."""
    manifests, tasks = experiment_tasks(experiment)
    return prepare_datasets(experiment, manifests, tasks)


def fit_label_statistics(model: MolecularModel, mixture: TaskMixture) -> None:
    """Fit to the labels of the training molecules, in place, the normalisation and the loss of each task.

    Those that know nothing of the labels stay as they are.
    """
    for name, task in mixture.tasks.items():
        if task.normalize == "standard":
            model.normalizers[name] = Normalizer.of(mixture.training_labels[name], task.labels)
        if needs_counts(task.loss.name):
            model.losses[name].fit(mixture.training_labels[name])


def fit_weighting(component: Component, model: MolecularModel, mixture: TaskMixture) -> TaskWeighting:
    """Return the weighting of the tasks that a configuration names, which knows how many training labels each has."""
    tasks = {
        name: WeighedTask(task.kind, task.weight, int(mixture.training_labels[name].count.sum()))
        for name, task in mixture.tasks.items()
    }
    others = {name: weight for name, weight in model.loss_weights.items() if name not in tasks}
    return make_weighting(component, tasks, others)


def label_pairs(mixture: TaskMixture, task: Task, part: str) -> Iterator[LabelPairs]:
    """Yield every label that the molecules of a part have, a block of molecules at a time."""
    positions = mixture.graphs.positions(part, task.dataset)
    for chunk in mixture.graphs.collection.label_chunks(task.name):
        used = np.repeat(chunk.chosen(positions), np.diff(chunk.ptr))
        yield LabelPairs(chunk.index[used].astype(np.int64) % len(task.labels), chunk.values[used])


def _summary(task: Task, pairs: Iterable[LabelPairs]) -> LabelSummary:
    classes = class_count(task.kind, task.classes)
    return reduce(LabelSummary.merged, (LabelSummary.of(*each, len(task.labels), classes) for each in pairs))
