"""The cells of a suite: each one resolved experiment, or one baseline on one dataset."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from molfound.benchmark.suite import LoadedSuite, SuiteModel
from molfound.config import load_config, to_yaml
from molfound.config.schema import FROZEN_BASELINES, Experiment
from molfound.errors import MolfoundError, did_you_mean
from molfound.training.run_folder import RunFolder
from molfound.training.same_experiment import differing_keys

OWN_KEYS = ("name", "seed", "run.folder", "run.baselines")
BASELINE_KEYS = ("data.datasets.", "data.max_", "tasks.", "seed", "run.baselines")
"""What a baseline depends on; the model, which it has not, may change."""
SEEDED_BASELINES = ("forest", "boosting")
"""The others have nothing random in them."""
PRETRAINED_KEYS = ("training.pretrained.run",)
"""What a baseline on embeddings depends on too."""


@dataclass(frozen=True)
class Place:
    """What tells a cell of a suite from the others.

    Attributes:
        mixture: the dataset that is learned alone, or ``multi``.
        datasets: what is learned from.
        split: name of their split.
        model: name of the model, or of the baseline.
        seed: of everything random in it.
        baseline: whether it is a baseline.
    """

    mixture: str
    datasets: tuple[str, ...]
    split: str
    model: str
    seed: int
    baseline: bool

    @property
    def name(self) -> str:
        """``<dataset or multi>/<split>/<model or baseline>/seed<seed>``, also the cell's folder in the suite's."""
        return "/".join((self.mixture, self.split, self.model, f"seed{self.seed}"))


@dataclass(frozen=True)
class Cell(Place):
    """One training of a suite, or one fit of a baseline.

    Attributes:
        experiment: what is trained, resolved.
    """

    experiment: Experiment

    @property
    def run(self) -> RunFolder:
        """The cell's run folder."""
        return RunFolder(self.experiment.run_folder)

    @property
    def state(self) -> str:
        """``finished``, ``interrupted`` or ``waiting``."""
        if (self.run.baselines if self.baseline else self.run.report).is_file():
            return "finished"
        return "interrupted" if self.run.has_progress else "waiting"


def suite_cells(loaded: LoadedSuite, folder: Path, overrides: Sequence[str] = ()) -> list[Cell]:
    """Return all cells of a suite, those of a dataset together, the baselines before the models.

    Args:
        loaded: the suite.
        folder: where the cells' run folders are to be.
        overrides: ``key=value`` changes of all cells, laid over the suite's own.

    Raises:
        MolfoundError: a mistake in a configuration or an override, or an override of what makes a cell.
    """
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key in OWN_KEYS:
            raise MolfoundError(f"override '{text}': each cell of a suite has its own {key}; write a suite with others")
    experiment = _experiments(loaded, overrides)
    return [_cell(loaded, experiment(place), folder, place) for place in _places(loaded)]


def chosen_cells(cells: Sequence[Cell], patterns: Sequence[str]) -> list[Cell]:
    """Return the cells whose name, or its beginning up to a ``/``, matches one of the patterns (``*``, ``?``).

    Without patterns all are chosen.

    Raises:
        MolfoundError: a pattern that matches no cell, with the nearest name.
    """

    def matches(cell: Cell, pattern: str) -> bool:
        parts = cell.name.split("/")
        return any(fnmatchcase("/".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))

    for pattern in patterns:
        if not any(matches(cell, pattern) for cell in cells):
            raise MolfoundError(f"no cell matches '{pattern}'{did_you_mean(pattern, _beginnings(cells, pattern))}")
    return [cell for cell in cells if not patterns or any(matches(cell, pattern) for pattern in patterns)]


def check_unchanged(cells: Sequence[Cell]) -> None:
    """Refuse to go on in a folder that has a cell of another configuration: its table would mix the two.

    Raises:
        MolfoundError: names the cell and the keys that differ.
    """
    for cell in cells:
        if not cell.run.config.is_file() or not (cell.run.has_progress or cell.run.baselines.is_file()):
            continue
        if cell.run.config.read_text(encoding="utf-8") == to_yaml(cell.experiment):
            continue
        kept = load_config(cell.run.config)
        keys = differing_keys(kept, cell.experiment)
        if cell.baseline:
            needed = BASELINE_KEYS + (PRETRAINED_KEYS if cell.model in FROZEN_BASELINES else ())
            keys = {key: values for key, values in keys.items() if key.startswith(needed)}
        if keys:
            told = ", ".join(f"{key} ({_shown(was)}, now {_shown(now)})" for key, (was, now) in list(keys.items())[:3])
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise MolfoundError(
                f"{cell.run.path} was begun with another configuration: {told}{more}; take another folder (-o), or "
                "remove this one"
            )


def _places(loaded: LoadedSuite) -> Iterator[Place]:
    """Yield what tells each cell from the others."""
    suite = loaded.suite
    for dataset in suite.datasets:
        for split in loaded.splits(dataset):
            for baseline in suite.baselines:
                seeds = suite.seeds if baseline in SEEDED_BASELINES else suite.seeds[:1]
                yield from (Place(dataset, (dataset,), split, baseline, seed, True) for seed in seeds)
            if "single" in suite.mixtures:
                for model in suite.models:
                    yield from (Place(dataset, (dataset,), split, model, seed, False) for seed in suite.seeds)
    if "multi" in suite.mixtures:
        together = tuple(suite.datasets)
        for split in loaded.shared_splits():
            for model in suite.models:
                yield from (Place("multi", together, split, model, seed, False) for seed in suite.seeds)


def _experiments(loaded: LoadedSuite, overrides: Sequence[str]) -> Callable[[Place], Experiment]:
    """Return what gives a place the experiment of its model on all datasets of the suite, of which it takes its own."""
    wholes: dict[tuple[str, tuple[str, ...]], Experiment] = {}

    def whole(model: str, place: Place) -> Experiment:
        # Most datasets have no overrides of their own, so that one experiment serves them all.
        own = () if place.mixture == "multi" else loaded.suite.datasets[place.mixture].overrides
        if (model, own) not in wholes:
            wholes[model, own] = _whole(loaded, loaded.suite.models[model], (*own, *overrides))
        return wholes[model, own]

    def experiment(place: Place) -> Experiment:
        if not place.baseline:
            return whole(place.model, place)
        # A baseline depends on nothing of a model but its data and, if it reads embeddings, the run that these are of.
        models = (whole(model, place) for model in loaded.suite.models)
        if place.model not in FROZEN_BASELINES:
            return next(models)
        for found in models:
            if found.training.pretrained is not None:
                return found
        raise MolfoundError(
            f"baseline '{place.model}' reads embeddings of a pretrained run, and no model of the suite has one: name "
            "it in a model's overrides, training.pretrained.run=RUN"
        )

    return experiment


def _whole(loaded: LoadedSuite, model: SuiteModel, overrides: Sequence[str]) -> Experiment:
    """Return a model's experiment on all datasets of the suite."""
    entries = []
    for dataset, config in loaded.suite.datasets.items():
        entries.append(_override(f"data.datasets.{dataset}", {"manifest": config.manifest}))
        for task, spec in loaded.tasks(dataset).items():
            metrics = loaded.suite.metrics.get(spec.kind)
            told = {"dataset": dataset} | ({"metrics": list(metrics)} if metrics else {})
            entries.append(_override(f"tasks.{task}", told))
    given = [_override("name", "suite"), *entries, *model.overrides, *loaded.suite.overrides, *overrides]
    return load_config(model.config, given)


def _cell(loaded: LoadedSuite, whole: Experiment, folder: Path, place: Place) -> Cell:
    """Return the cell at a place; what its experiment has was checked with the whole."""
    datasets = {
        dataset: config.model_copy(update={"split": place.split})
        for dataset, config in whole.data.datasets.items()
        if dataset in place.datasets
    }
    wanted = {task for dataset in place.datasets for task in loaded.tasks(dataset)}
    baselines = (place.model,) if place.baseline else ()
    own = {
        "name": place.name.replace("/", "-"),
        "seed": place.seed,
        "data": whole.data.model_copy(update={"datasets": datasets}),
        "tasks": {task: config for task, config in whole.tasks.items() if task in wanted},
        "run": whole.run.model_copy(update={"folder": str(folder / place.name), "baselines": baselines}),
    }
    return Cell(**vars(place), experiment=whole.model_copy(update=own))


def _override(key: str, value: Any) -> str:
    return f"{key}={json.dumps(value)}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _beginnings(cells: Sequence[Cell], pattern: str) -> list[str]:
    """Return the beginnings of the cells' names that are as long as the pattern."""
    length = pattern.count("/") + 1
    return list(dict.fromkeys("/".join(cell.name.split("/")[:length]) for cell in cells))
