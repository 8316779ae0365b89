"""What a suite is: a short YAML file of datasets, models, seeds, budget, metrics, baselines and published values."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, Strict

from molfound.config.documents import read_mapping
from molfound.config.locations import SUFFIXES, find_shipped
from molfound.config.problems import validated
from molfound.config.schema import BASELINES, Baseline, Key, Kind, Section, Seed, Text, Texts
from molfound.data.manifest import Manifest, TaskSpec, load_manifest
from molfound.errors import MolfoundError, did_you_mean
from molfound.tasks.metrics import metrics as known_metrics
from molfound.tasks.resolve import DEFAULT_METRICS

Mixing = Literal["single", "multi"]


class SuiteDataset(Section):
    """One dataset of a suite."""

    manifest: Text
    """Name of a shipped manifest (bio/esol), or the YAML file of one, relative to the suite's file."""
    splits: Annotated[Texts, Field(min_length=1)] | None = None
    """Names of splits of the manifest; null: the suite's."""
    tasks: Annotated[Texts, Field(min_length=1)] | None = None
    """Tasks of the manifest; null: all."""
    overrides: Texts = ()
    """key=value changes of what learns it alone, such as a budget that suits its size: training.epochs=100."""


class SuiteModel(Section):
    """One model of a suite: what an experiment says of it and of its training."""

    config: Text
    """A configuration by name (toymix/gine, parts/graph_network) or its file, relative to the suite's. Of its datasets
    and tasks, those that the suite has too keep what it says of them (share, head, …); the others are left out."""
    overrides: Texts = ()
    """key=value changes of it."""


class PublishedValues(Section):
    """Figures that others have published."""

    source: Text
    """What to cite."""
    differs: Text
    """How their protocol differs from the suite's."""
    split: Text | None = None
    """The split that they are set beside; null: all."""
    values: dict[Text, dict[Mixing, dict[Key, dict[Text, float]]]]
    """Model → single or multi → task → metric → value."""


class Suite(Section):
    """A benchmark of quality: each model is trained on each dataset (or all together), split and seed."""

    title: Text
    """One line."""
    description: str = ""
    """What it measures, and what to know before reading its table."""
    datasets: Annotated[dict[Key, SuiteDataset], Field(min_length=1)]
    """The datasets by name."""
    splits: Annotated[Texts, Field(min_length=1)] | None = None
    """Names of splits that the datasets' manifests have; null: the first of each manifest."""
    models: Annotated[dict[Key, SuiteModel], Field(min_length=1)]
    """The models by name."""
    mixtures: Annotated[tuple[Mixing, ...], Strict(False), Field(min_length=1)] = ("single",)
    """single: each dataset alone; multi: all of them together in one model."""
    seeds: Annotated[tuple[Seed, ...], Strict(False), Field(min_length=1)] = (0,)
    """Seeds of the trainings. The splits stay the same."""
    overrides: Texts = ()
    """key=value changes of every model's configuration, such as the budget: training.epochs=30."""
    metrics: dict[Kind, Annotated[Texts, Field(min_length=1)]] = Field(default_factory=dict)
    """Metrics by kind of task; those of a kind that is not there are the usual ones."""
    baselines: Annotated[tuple[Baseline, ...], Strict(False)] = ("mean", "forest")
    """As in run.baselines; probe and knn read the embeddings of the run that the first model with training.pretrained
    starts from. Each is fitted to each dataset alone."""
    published: Annotated[tuple[PublishedValues, ...], Strict(False)] = ()
    """What others have published, shown beside."""


class LoadedSuite:
    """A suite with the manifests of its datasets.

    Attributes:
        name: of the suite's file.
        suite: what the file says, its paths made absolute.
        manifests: by dataset.
    """

    def __init__(self, name: str, suite: Suite, manifests: Mapping[str, Manifest]) -> None:
        self.name, self.suite, self.manifests = name, suite, manifests

    def splits(self, dataset: str) -> tuple[str, ...]:
        """Return the names of a dataset's splits."""
        return self.suite.datasets[dataset].splits or self.suite.splits or (next(iter(self.manifests[dataset].splits)),)

    def tasks(self, dataset: str) -> dict[str, TaskSpec]:
        """Return a dataset's tasks in the suite."""
        described = self.manifests[dataset].tasks
        return {name: described[name] for name in self.suite.datasets[dataset].tasks or described}

    def shared_splits(self) -> tuple[str, ...]:
        """Return the splits that all datasets have, on which they can be learned together."""
        first, *others = (self.splits(dataset) for dataset in self.suite.datasets)
        return tuple(split for split in first if all(split in other for other in others))


def load_suite(name_or_path: str | Path) -> LoadedSuite:
    """Return a shipped suite by name (``moleculenet``), or one's own by the path of its YAML file.

    Raises:
        MolfoundError: no such suite, or anything in it that is unknown or does not fit, with the nearest right one.

    Example:
        >>> suite = load_suite("toymix")
        >>> list(suite.manifests), list(suite.suite.models)
        (['qm9', 'tox21', 'zinc12k'], ['gcn', 'gin', 'gine'])
    """
    path = find_shipped(str(name_or_path), "configs/suites")
    read = validated(Suite, read_mapping(path), lambda _: str(path))
    try:
        suite = _with_absolute_paths(read, path.parent)
        manifests = {name: load_manifest(dataset.manifest) for name, dataset in suite.datasets.items()}
        loaded = LoadedSuite(path.stem, suite, manifests)
        _check(loaded)
    except MolfoundError as error:
        raise MolfoundError(f"{path}: {error}") from None
    return loaded


def _with_absolute_paths(suite: Suite, folder: Path) -> Suite:
    """Return the suite with its manifests that are files, and its configurations, as paths that hold anywhere."""

    def manifest(dataset: SuiteDataset) -> SuiteDataset:
        if not dataset.manifest.endswith(SUFFIXES):
            return dataset
        return dataset.model_copy(update={"manifest": str((folder / dataset.manifest).resolve())})

    def config(model: SuiteModel) -> SuiteModel:
        return model.model_copy(update={"config": str(find_shipped(model.config, "configs", folder).resolve())})

    return suite.model_copy(
        update={
            "datasets": {name: manifest(dataset) for name, dataset in suite.datasets.items()},
            "models": {name: config(model) for name, model in suite.models.items()},
        }
    )


def _check(loaded: LoadedSuite) -> None:
    """Refuse what no schema can see: names that the manifests and registries do not know, and names used twice."""
    suite = loaded.suite
    _refuse_twice("seed", suite.seeds)
    _refuse_twice("baseline", suite.baselines)
    _refuse_twice("mixture", suite.mixtures)
    if "multi" in suite.datasets:
        raise MolfoundError("a dataset cannot be named 'multi', which all of them together are")
    for name in suite.models:
        if name in BASELINES:
            raise MolfoundError(f"a model cannot be named '{name}', as a baseline is")
    for kind, metrics in suite.metrics.items():
        _refuse_twice(f"metric of {kind} tasks", metrics)
        for metric in metrics:
            known_metrics.check_kind(metric, kind, task=kind)
    owners = _task_owners(loaded)
    if "multi" in suite.mixtures and not loaded.shared_splits():
        raise MolfoundError("mixtures: multi needs a split that all datasets have")
    for published in suite.published:
        for by_mixing in published.values.values():
            for by_task in by_mixing.values():
                _check_published(loaded, owners, by_task)


def _task_owners(loaded: LoadedSuite) -> dict[str, str]:
    """Return the dataset of each task, once the splits and tasks of all datasets are known to be there."""
    owners: dict[str, str] = {}
    for dataset, config in loaded.suite.datasets.items():
        manifest = loaded.manifests[dataset]
        _refuse_twice(f"split of dataset '{dataset}'", loaded.splits(dataset))
        for split in loaded.splits(dataset):
            manifest.split(split)
        tasks = config.tasks or tuple(manifest.tasks)
        if not tasks:
            raise MolfoundError(f"dataset '{dataset}' has no tasks, so that there is nothing to measure")
        for task in tasks:
            if task not in manifest.tasks:
                raise MolfoundError(f"dataset '{dataset}' has no task '{task}'{did_you_mean(task, manifest.tasks)}")
            if task in owners:
                raise MolfoundError(f"task '{task}' is in the datasets '{owners[task]}' and '{dataset}'; name tasks")
            owners[task] = dataset
    return owners


def _check_published(
    loaded: LoadedSuite, owners: Mapping[str, str], by_task: Mapping[str, Mapping[str, float]]
) -> None:
    for task, figures in by_task.items():
        if task not in owners:
            raise MolfoundError(f"published: no task '{task}'{did_you_mean(task, owners)}")
        kind = loaded.tasks(owners[task])[task].kind
        measured = loaded.suite.metrics.get(kind, DEFAULT_METRICS[kind])
        for metric in figures:
            if metric not in measured:
                near = did_you_mean(metric, measured)
                raise MolfoundError(f"published: '{metric}' of task '{task}' is not measured here{near}")


def _refuse_twice(what: str, names: Iterable[object]) -> None:
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise MolfoundError(f"{what} '{name}' is there twice")
        seen.add(name)
