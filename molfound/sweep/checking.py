"""What is looked for before a sweep starts: mistakes in its values and data, another sweep in its folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from molfound.config import load_config, to_yaml
from molfound.config.documents import read_mapping, write_text
from molfound.data.mixture import load_manifests, table_columns
from molfound.data.shards import held, write_atomically
from molfound.errors import MolfoundError
from molfound.model import count_parameters, specify
from molfound.plugins import load_plugins
from molfound.sweep.study import pruners
from molfound.sweep.sweep_file import LoadedSweep, examples
from molfound.tasks.resolve import resolve_tasks
from molfound.training.processes import Processes
from molfound.training.same_experiment import differing_keys
from molfound.training.train import check

SWEEP, EXPERIMENT = "sweep.yaml", "experiment.yaml"
KEPT = ("space", "seed", "pruner")
"""What of a sweep may not change on the way, beside its experiment."""


def check_possible(loaded: LoadedSweep) -> None:
    """Refuse to begin where trials are known to fail: each value of each key is tried in a network without memory.

    The data are prepared on the way.

    Raises:
        MolfoundError: an option that a component does not have, a value that it cannot take, or a mistake in the data.
    """
    if Processes.of_environment().several:
        raise MolfoundError("a sweep starts its processes itself: give training.devices=N, and no torchrun")
    if loaded.sweep.pruner is not None:
        pruners.check(loaded.sweep.pruner.name, loaded.sweep.pruner.options)
    for values in examples(loaded.sweep.space):
        experiment = loaded.experiment(values)
        load_plugins(Path(path) for path in experiment.plugins)
        manifests = load_manifests(experiment)
        columns = table_columns(experiment, manifests)
        try:
            count_parameters(specify(experiment, resolve_tasks(experiment, manifests, columns)))
        except MolfoundError as error:
            told = ", ".join(f"{key}={value}" for key, value in values.items())
            raise MolfoundError(f"with {told}: {error}") from None
    check(loaded.experiment(next(examples(loaded.sweep.space))))


def check_unchanged(loaded: LoadedSweep, folder: Path) -> None:
    """Refuse to go on with another sweep, and keep what this one is in its folder.

    Raises:
        MolfoundError: names the key that differs.
    """
    sweep, experiment = folder / SWEEP, folder / EXPERIMENT
    given = loaded.sweep.model_dump(mode="json")
    if sweep.is_file() and experiment.is_file():
        kept = read_mapping(sweep)
        changed = [key for key in KEPT if kept[key] != given[key]]
        changed += differing_keys(load_config(experiment), loaded.base)
        if changed:
            raise MolfoundError(
                f"{folder} was begun with another sweep: {', '.join(changed[:5])} differ; take another folder (-o), or "
                "remove this one"
            )
    write_atomically(experiment, to_yaml(loaded.base).encode())
    write_atomically(sweep, write_text(given).encode())


@contextmanager
def one_runner(folder: Path) -> Iterator[None]:
    """Hold a sweep's folder, in which two processes would train the same trial.

    Raises:
        MolfoundError: another process holds it.
    """

    def refuse() -> None:
        raise MolfoundError(f"another process runs a sweep in {folder}; wait for it, or take another folder (-o)")

    with held(folder / ".lock", refuse):
        yield
