"""What a sweep is: a short YAML file of an experiment, the values that its keys may take, and how many are tried."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from molfound.config import Component, load_config
from molfound.config.composition import with_overrides
from molfound.config.documents import read_mapping
from molfound.config.locations import find_shipped
from molfound.config.problems import validated
from molfound.config.schema import Count, Experiment, Section, Seed, Text, Texts
from molfound.errors import MolfoundError
from molfound.tasks.aggregation import FLATTENED, STANDARDISED
from molfound.training.monitoring import better_direction

OWN_KEYS = ("name", "plugins", "data.root", "data.store", "training.monitor", "training.monitor_mode", "run")
"""Keys that a trial has of its own, or that say where the data lie or what is better."""
LOSS_KEYS = ("tasks", "objectives", "corruption", "training.task_weights")
"""Keys with which a loss means another thing, the heads of tasks excepted."""
MEANING = ("dataset", "task", "level", "kind", "classes", "labels", "metrics")
"""Keys of a task with which its metrics are of other labels, or other ones of one name."""

Numbers = Annotated[tuple[float, float], Strict(False)]
WholeNumbers = Annotated[tuple[int, int], Strict(False)]


class Parameter(Section):
    """The values that a key may take, in one of these forms."""

    uniform: Numbers | None = None
    """Any number between two, both included."""
    log_uniform: Numbers | None = None
    """Any number between two above 0, each power of ten as likely as another."""
    choice: Annotated[tuple[Any, ...], Strict(False), Field(min_length=2)] | None = None
    """One of these values, which may be lists or mappings too."""
    int: WholeNumbers | None = None
    """Any whole number between two, both included."""

    @model_validator(mode="after")
    def _check_form(self) -> "Parameter":
        """Refuse no form or two, an empty range, and a choice that is there twice."""
        given = [form for form in type(self).model_fields if getattr(self, form) is not None]
        if len(given) != 1:
            forms = "{uniform: [0, 0.5]}, {log_uniform: [1e-4, 1e-2]}, {int: [2, 6]} or {choice: [gin, gine]}"
            raise _problem(f"should be one of {forms}")
        if self.choice is not None:
            texts = [json.dumps(value) for value in self.choice]
            if len(set(texts)) < len(texts):
                raise _problem("has a choice twice")
            return self
        low, high = getattr(self, given[0])
        if not low < high:
            raise _problem(f"goes from {low:g} to {high:g}; the first should be the smaller")
        if self.log_uniform is not None and low <= 0:
            raise _problem(f"begins at {low:g}; a logarithmic range lies above 0")
        return self

    @property
    def examples(self) -> tuple[Any, ...]:
        """All choices, or both ends of the range."""
        return self.choice or self.uniform or self.log_uniform or self.int or ()

    @property
    def count(self) -> float:
        """How many values there are."""
        if self.choice is not None:
            return len(self.choice)
        return math.inf if self.int is None else self.int[1] - self.int[0] + 1


def _problem(text: str) -> PydanticCustomError:
    return PydanticCustomError("parameter", "{text}", {"text": text})


class Sweep(Section):
    """A search for the values of configuration keys with which an experiment does best on its validation part."""

    experiment: Text
    """A configuration by name (toymix/gine) or its file, relative to the sweep's. Its training.monitor is what is
    compared: the best epoch's value of each trial."""
    overrides: Texts = ()
    """key=value changes of it, such as the budget of a trial: training.epochs=10."""
    space: Annotated[dict[Text, Parameter], Field(min_length=1)]
    """The keys that are varied, and the values that they may take."""
    trials: Count = 20
    """How many trials there are in all."""
    seed: Seed = 0
    """Seed of what is tried. The trainings have that of the experiment."""
    pruner: Component | None = Component("median")
    """Which trials are stopped early: median, halving, or null for none."""
    hours: Annotated[float, Field(gt=0)] | None = None
    """No trial is begun when a call has lasted so long; null: until all trials are done."""


@dataclass(frozen=True)
class LoadedSweep:
    """A sweep with its experiment.

    Attributes:
        name: of the sweep's file.
        sweep: what the file says, the path of its experiment made absolute, the overrides of the command line added.
        base: the experiment as it is without the sweep.
    """

    name: str
    sweep: Sweep
    base: Experiment

    @property
    def monitor(self) -> str:
        """The figure that is compared."""
        return self.base.training.monitor

    @property
    def mode(self) -> Literal["min", "max"]:
        """Whether a smaller or a larger figure is better."""
        chosen = self.base.training.monitor_mode or better_direction(self.monitor)
        return "max" if chosen == "max" else "min"

    @property
    def wanted(self) -> int:
        """How many trials there are to be: no combination of values is tried twice."""
        return int(min(self.sweep.trials, math.prod(parameter.count for parameter in self.sweep.space.values())))

    def experiment(self, values: Mapping[str, Any]) -> Experiment:
        """Return the experiment with these values of the keys; its files are not read again.

        Raises:
            MolfoundError: a key that is not there, with the nearest, or a value that cannot stand there.
        """
        overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        return validated(Experiment, with_overrides(self.base.model_dump(), overrides), lambda _: "space")

    def trial_experiment(self, folder: Path, number: int, values: Mapping[str, Any]) -> Experiment:
        """Return what a trial trains: a run folder of its own, and no baselines, which are the same for all trials."""
        experiment = self.experiment(values)
        run = experiment.run.model_copy(update={"folder": str(trial_folder(folder, number)), "baselines": ()})
        return experiment.model_copy(update={"name": f"{self.name}-{number:04d}", "run": run})


def trial_folder(folder: Path, number: int) -> Path:
    """Return the run folder of a trial."""
    return folder / "trials" / f"{number:04d}"


def load_sweep(name_or_path: str | Path, overrides: Sequence[str] = (), *, trials: int | None = None) -> LoadedSweep:
    """Return a shipped sweep by name (``quickstart``), or one's own by the path of its YAML file.

    Args:
        name_or_path: of the sweep.
        overrides: ``key=value`` changes of the experiment, laid over the sweep's own.
        trials: how many in place of what the file says.

    Raises:
        MolfoundError: no such sweep, or anything in it that is unknown or does not fit, with the nearest right one.

    Example:
        >>> loaded = load_sweep("quickstart", ["training.epochs=2"])
        >>> loaded.monitor, loaded.mode, loaded.experiment({"model.encoder.depth": 3}).model.encoder.options["depth"]
        ('val/alerts/ap', 'max', 3)
    """
    path = find_shipped(str(name_or_path), "configs/sweeps")
    read = validated(Sweep, read_mapping(path), lambda _: str(path))
    try:
        config = _experiment_file(read.experiment, path)
        own = {"experiment": str(config), "overrides": (*read.overrides, *overrides), "trials": trials or read.trials}
        sweep = read.model_copy(update=own)
        loaded = LoadedSweep(path.stem, sweep, load_config(config, sweep.overrides))
        _check(loaded)
        for values in examples(sweep.space):
            loaded.experiment(values)
    except MolfoundError as error:
        raise MolfoundError(f"{path}: {error}") from None
    return loaded


def _experiment_file(name: str, sweep: Path) -> Path:
    """Return the file of a sweep's experiment; where the two bear one name, the shipped experiment is meant."""
    found = find_shipped(name, "configs", sweep.parent)
    return (find_shipped(name, "configs", None) if found.samefile(sweep) else found).resolve()


def examples(space: Mapping[str, Parameter]) -> Iterator[dict[str, Any]]:
    """Yield combinations of values in which each choice and each end of a range is there at least once."""
    first = {key: parameter.examples[0] for key, parameter in space.items()}
    yield first
    for key, parameter in space.items():
        yield from ({**first, key: value} for value in parameter.examples[1:])


def _check(loaded: LoadedSweep) -> None:
    """Refuse what would make the trials' figures no figures of the validation part, or not comparable."""
    if not loaded.monitor.startswith("val/"):
        raise MolfoundError(
            f"a sweep compares trials on the validation part, but training.monitor is '{loaded.monitor}'; "
            "name another: overrides: [training.monitor=val/loss]"
        )
    given = {text.partition("=")[0].strip() for text in loaded.sweep.overrides}
    for key in loaded.sweep.space:
        if key in given:
            raise MolfoundError(f"'{key}' is in the space; an override of it would be lost")
        whole = next((other for other in loaded.sweep.space if key.startswith(f"{other}.")), None)
        if whole is not None:
            raise MolfoundError(f"space: '{key}' is a part of '{whole}', so that one's values would undo the other's")
        if _within(key, OWN_KEYS):
            raise MolfoundError(f"space: '{key}' cannot be varied: it changes no model, or what trials are compared by")
        if _changes_molecules(key):
            raise MolfoundError(f"space: with another '{key}', trials would be compared on other molecules")
        if _changes_monitor(key, loaded):
            raise MolfoundError(
                f"space: '{key}' changes what '{loaded.monitor}' means, so that it cannot tell which trial is better; "
                "leave it out, or name a metric that means the same with each of its values (overrides: "
                "[training.monitor=val/TASK/METRIC])"
            )


def _changes_monitor(key: str, loaded: LoadedSweep) -> bool:
    """Return whether a key changes what the figure that is compared means."""
    _, _, owner = loaded.monitor.partition("/")
    task, _, metric = owner.rpartition("/")
    if metric == "loss" and _within(key, LOSS_KEYS) and key.split(".")[2:3] != ["head"]:
        return True
    if task in loaded.base.objectives:
        return _within(key, ("objectives", "corruption"))
    match key.split("."):
        case ["tasks"]:
            return True
        case ["tasks", name, *rest] if name == task:
            standardised = metric.removesuffix(FLATTENED) in STANDARDISED
            return not rest or rest[0] in MEANING or (rest[0] == "normalize" and standardised)
    return False


def _changes_molecules(key: str) -> bool:
    match key.split("."):
        case ["data"] | ["data", "datasets" | "max_heavy_atoms" | "crop"]:
            return True
        case ["data", "datasets", _, *rest]:
            return rest[:1] not in (["share"], ["scaffolds"])
    return False


def _within(key: str, keys: Sequence[str]) -> bool:
    return any(key == other or key.startswith(f"{other}.") for other in keys)
