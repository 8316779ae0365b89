"""Ensembles: several runs trained, or taken as they are, into one folder, calibrated and scored together."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np

from molfound.config import load_config, to_yaml
from molfound.config.schema import Experiment
from molfound.data.shards import write_atomically
from molfound.data.windows import Positions
from molfound.errors import MolfoundError
from molfound.model import (
    check_alike,
    ensemble_members,
    load_ensemble,
    load_specification,
    save_ensemble,
    save_specification,
    torch_device,
)
from molfound.plugins import check_own, restore_plugins
from molfound.runs import find_run
from molfound.training.console import EpochReporter
from molfound.training.cross_validation import is_cross_validation, write_folds
from molfound.training.finish import finish
from molfound.training.fit_check import check_data_fits, kept_digests
from molfound.training.mixture import TaskMixture, load_task_mixture
from molfound.training.processes import Processes
from molfound.training.run_folder import RunFolder
from molfound.training.train import check, resume, train

NOTHING = np.empty(0, np.int64)


def seeded(experiment: Experiment, members: int) -> list[Experiment]:
    """Return so many experiments that differ in their seed alone, the first one's being the experiment's own.

    Raises:
        MolfoundError: fewer than two.
    """
    if members < 2:
        raise MolfoundError(f"an ensemble has at least two members, not {members}")
    return [experiment.model_copy(update={"seed": experiment.seed + number}) for number in range(members)]


def train_ensemble(
    experiments: Sequence[Experiment], folder: Path, *, overwrite: bool = False, checked: bool = False
) -> RunFolder:
    """Train experiments into the members of an ensemble, and return its folder, which has scores and a report as well.

    Each is a run in ``members/1``, ``members/2``, …, without baselines, which are those of the ensemble, unless each
    has a fold of a cross-validation to test: then it has its own, and the ensemble what `write_folds` tells of all. The
    first experiment's configuration becomes the ensemble's.

    Args:
        experiments: of the same features, encodings and tasks, such as those of `seeded`; their run folders do not
            matter.
        folder: of the ensemble.
        overwrite: whether an ensemble or a run that is in the folder already may be replaced.
        checked: whether `molfound.training.train.check` has found no mistake in them.

    Raises:
        MolfoundError: a mistake in an experiment or its data, or something in the folder that would be lost.
    """
    if Processes.of_environment().several:
        raise MolfoundError("the members of an ensemble are trained one after the other: use training.devices")
    run = _free(folder, overwrite=overwrite)
    if not checked:
        check(experiments[0])  # a mistake must not cost what is to be replaced
    members = _begun(run, experiments[0], len(experiments))
    baselines = is_cross_validation(experiments)
    for member, experiment in zip(members, experiments, strict=True):
        write_atomically(member.config, to_yaml(_placed(experiment, member, baselines=baselines)).encode())
    return resume_ensemble(folder, allow_plugins=True)  # which are the experiments' own


def resume_ensemble(folder: Path, overrides: Sequence[str] = (), *, allow_plugins: bool = False) -> RunFolder:
    """Go on with an ensemble: what is finished or was made of runs stays, the others are trained to the same end.

    Args:
        folder: of the ensemble.
        overrides: ``key=value`` changes that do not change the result, such as ``data.root=FOLDER``.
        allow_plugins: whether the members' own copies of plugins may be executed.

    Raises:
        MolfoundError: no ensemble there, one that was not begun whole, or what `molfound.training.train.resume`
            refuses.
    """
    members = ensemble_members(folder)
    if not members:
        raise MolfoundError(f"{folder} is no ensemble: it has no ensemble.json")
    say = EpochReporter(1).line
    for number, path in enumerate(members, 1):
        run = RunFolder(path)
        if not run.config.is_file():
            raise MolfoundError(
                f"{folder} was not begun whole, for {path} has no config.yaml: begin it with --overwrite"
            )
        if run.report.is_file() or run.is_copy:
            continue
        say(f"member {number} of {len(members)}")
        # The place of a folder that was moved is not the one that its configuration names.
        experiment = load_config(run.config, [*overrides, f"run.folder={json.dumps(str(path))}"])
        if run.has_progress:
            resume(path, experiment, allow_plugins=allow_plugins)
        else:
            if not allow_plugins:
                check_own(map(Path, experiment.plugins), path)
            train(experiment)
    ensemble = RunFolder.existing(folder)
    if not ensemble.report.is_file():
        of_folds = is_cross_validation([load_config(RunFolder(path).config) for path in members])
        _finish(ensemble, overrides, allow_plugins=allow_plugins, of_folds=of_folds)
    return ensemble


def ensemble_of_runs(
    names: Sequence[str | Path], folder: Path, *, overwrite: bool = False, allow_plugins: bool = False
) -> RunFolder:
    """Make an ensemble of finished runs, calibrate it and score it, and return its folder.

    Of each run, what predicting and scoring needs is copied into ``members/1``, ``members/2``, ….

    Args:
        names: of the runs, see `molfound.runs.find_run`, whose models have the same features, encodings and tasks.
        folder: of the ensemble.
        overwrite: whether an ensemble or a run that is in the folder already may be replaced.
        allow_plugins: whether the runs' own copies of plugins may be executed.

    Raises:
        MolfoundError: a run that is not there, has no model, is named twice or does not go with the others, or
            something in the folder that would be lost.
    """
    runs = [find_run(name) for name in names]
    if len({path.resolve() for path in runs}) < max(len(runs), 2):
        raise MolfoundError("an ensemble is of two runs or more, all of them different")
    for path in runs:
        if folder.resolve() in (path.resolve(), *path.resolve().parents):
            raise MolfoundError(f"{path} lies in {folder}, which is to be the ensemble's alone: name another folder")
        if not RunFolder.existing(path).model.is_file() and not ensemble_members(path):
            raise MolfoundError(f"{path} has no model yet: its training has not completed an epoch")
    check_alike({path: load_specification(path) for path in runs})
    shared_mixture(runs, allow_plugins=allow_plugins)
    ensemble = _free(folder, overwrite=overwrite)
    members = _begun(ensemble, load_config(RunFolder(runs[0]).config), len(runs))
    for run, copy in zip(map(RunFolder, runs), members, strict=True):
        for own in ("plugins", "manifests"):  # the second is that of an exported run
            if (run.path / own).is_dir():
                shutil.copytree(run.path / own, copy.path / own)
        for name in ("data", "specification", "model", "config"):  # the last one says that all are there
            write_atomically(getattr(copy, name), getattr(run, name).read_bytes())
    # That of the copy, whose manifests are in the ensemble too.
    write_atomically(ensemble.config, to_yaml(_placed(load_config(members[0].config), ensemble)).encode())
    _finish(ensemble, (), allow_plugins=allow_plugins)
    return ensemble


def ensemble_mixture(
    folder: Path, overrides: Sequence[str] = (), *, allow_plugins: bool = False
) -> tuple[Experiment, TaskMixture]:
    """Return an ensemble's experiment and its data, see `shared_mixture`.

    Args:
        folder: of the ensemble.
        overrides: ``key=value`` changes of the configuration, such as ``data.root=FOLDER``.
        allow_plugins: whether the members' own copies of plugins may be executed.
    """
    mixture = shared_mixture(ensemble_members(folder), overrides, allow_plugins=allow_plugins)
    return load_config(RunFolder(folder).config, overrides), mixture


def shared_mixture(runs: Sequence[Path], overrides: Sequence[str] = (), *, allow_plugins: bool = False) -> TaskMixture:
    """Return the data of runs that were trained on one table, as they are divided for all of them together.

    A molecule is in the training part where any of them learned from it, and in another part where it is in that part
    for each. Parts of which nothing is left are left out.

    Args:
        runs: whose data are meant.
        overrides: ``key=value`` changes of their configurations.
        allow_plugins: whether the runs' own copies of plugins may be executed.

    Raises:
        MolfoundError: the runs were trained on different tables, on data that are not there or no longer fit, or do
            not say on what.
    """
    mixtures: dict[str, TaskMixture] = {}
    tables: set[str] = set()
    for run in map(RunFolder, runs):
        specification = load_specification(run.path)
        plugins = restore_plugins(specification.plugins, run.plugins, allow_copies=allow_plugins)
        digests = kept_digests(run)
        if (division := json.dumps(digests, sort_keys=True)) in mixtures:
            continue
        # Scaffolds are stored for a split by them alone.
        table = {name: {**found, "split": "", "scaffolds": ""} for name, found in digests.items()}
        tables.add(json.dumps(table, sort_keys=True))
        if len(tables) > 1:
            raise MolfoundError(f"{runs[0]} and {run.path} were trained on different tables: they share no test part")
        experiment = load_config(run.config, overrides).model_copy(update={"plugins": tuple(map(str, plugins))})
        mixtures[division] = load_task_mixture(experiment, None)
        check_data_fits(specification, experiment, mixtures[division].tasks, run.path)
    first = next(iter(mixtures.values()))
    divisions = [mixture.graphs.parts for mixture in mixtures.values()]
    parts: dict[str, dict[str, Positions]] = {}
    for dataset in first.graphs.parts:
        parts[dataset] = {"train": reduce(np.union1d, [division[dataset]["train"] for division in divisions])}
        for name in first.graphs.parts[dataset]:
            common = reduce(np.intersect1d, [division[dataset].get(name, NOTHING) for division in divisions])
            if name != "train" and len(common):
                parts[dataset][name] = common
    return replace(first, graphs=replace(first.graphs, parts=parts))


def _free(folder: Path, *, overwrite: bool) -> RunFolder:
    """Return a folder in which an ensemble may be begun.

    Raises:
        MolfoundError: there is something that may not be lost.
    """
    run = RunFolder(folder)
    run.check_place()
    if run.has_progress and not overwrite:
        raise MolfoundError(
            f"{folder} holds a run or an ensemble already: go on with it (--resume {folder}), replace it (--overwrite) "
            "or name another folder"
        )
    if run.members.exists() and not run.ensemble.is_file():
        raise MolfoundError(f"{run.members} is there and of no ensemble: name another folder")
    return run


def _begun(ensemble: RunFolder, experiment: Experiment, count: int) -> list[RunFolder]:
    """Clear the folder of an ensemble, begin it anew, and return the folders of its members, which are not there yet.

    The ensemble has the configuration of an experiment.
    """
    ensemble.clear()
    members = [ensemble.members / str(number) for number in range(1, count + 1)]
    save_ensemble(ensemble.path, members)
    write_atomically(ensemble.config, to_yaml(_placed(experiment, ensemble)).encode())
    return [RunFolder(path) for path in members]


def _placed(experiment: Experiment, run: RunFolder, *, baselines: bool = True) -> Experiment:
    """Return an experiment with its run in that folder, and perhaps without baselines."""
    changed = {"folder": str(run.path)} | ({} if baselines else {"baselines": ()})
    return experiment.model_copy(update={"run": experiment.run.model_copy(update=changed)})


def _finish(ensemble: RunFolder, overrides: Sequence[str], *, allow_plugins: bool, of_folds: bool = False) -> None:
    """Calibrate an ensemble whose members are there, score it, and write its report."""
    experiment, mixture = ensemble_mixture(ensemble.path, overrides, allow_plugins=allow_plugins)
    model = load_ensemble(ensemble.path).to(torch_device(experiment.training.accelerator))
    reporter = EpochReporter(1)
    reporter.line(f"ensemble of {len(model.members)} models; {mixture}")
    save_specification(model.specification, ensemble.specification)
    if of_folds:
        write_folds(ensemble, [RunFolder(path) for path in ensemble_members(ensemble.path)], mixture)
    else:
        finish(experiment, mixture, model, ensemble, reporter, None)
