"""Evaluate a finished run on a part of its data."""

from collections.abc import Sequence
from pathlib import Path

from molfound.config import load_config
from molfound.config.schema import Experiment
from molfound.data.loader import evaluation_batches
from molfound.data.sampler import BatchLimits
from molfound.errors import MolfoundError, did_you_mean
from molfound.model import (
    MolecularModel,
    TaskModel,
    complete_members,
    load_ensemble,
    load_model,
    load_specification,
    torch_device,
)
from molfound.plugins import restore_plugins
from molfound.runs import find_run
from molfound.tasks.task import Task
from molfound.training.corrupting import make_corruptor
from molfound.training.ensembling import ensemble_mixture
from molfound.training.evaluation import Scores, evaluate
from molfound.training.fit_check import check_data_fits
from molfound.training.mixture import TaskMixture, load_task_mixture
from molfound.training.run_folder import RunFolder


def evaluate_run(
    name: str | Path,
    part: str = "test",
    overrides: Sequence[str] = (),
    *,
    device: str = "auto",
    allow_plugins: bool = False,
) -> tuple[dict[str, Task], Scores]:
    """Return the tasks of a run, or of an ensemble, and their scores on a part of its datasets.

    Args:
        name: of the run, see `molfound.runs.find_run`; it has to have its ``config.yaml``.
        part: train, val, test or another part that a split names.
        overrides: ``key=value`` changes of the run's configuration, such as ``data.root=FOLDER``.
        device: where the model computes, see `molfound.model.torch_device`.
        allow_plugins: whether the run's own copies of plugins may be executed.

    Raises:
        MolfoundError: no run or no model there, no such part or device, or data that are not there.
    """
    chosen = torch_device(device)
    folder = find_run(name)
    run = RunFolder.existing(folder)
    if complete_members(folder):
        experiment, mixture = ensemble_mixture(folder, overrides, allow_plugins=allow_plugins)
        return mixture.tasks, _evaluated(load_ensemble(folder).to(chosen), experiment, mixture, part)
    if not run.model.is_file():
        raise MolfoundError(f"{folder} has no model yet: its training has not completed an epoch")
    specification = load_specification(folder)
    plugins = restore_plugins(specification.plugins, run.plugins, allow_copies=allow_plugins)
    experiment = load_config(run.config, overrides).model_copy(update={"plugins": tuple(map(str, plugins))})
    mixture = load_task_mixture(experiment, None)
    check_data_fits(specification, experiment, mixture.tasks, folder)
    return mixture.tasks, _evaluated(load_model(folder).to(chosen), experiment, mixture, part)


def _evaluated(model: TaskModel, experiment: Experiment, mixture: TaskMixture, part: str) -> Scores:
    parts = mixture.graphs.part_names
    if part not in parts:
        raise MolfoundError(f"the run's datasets have no part '{part}'{did_you_mean(part, parts)}")
    limits = BatchLimits.of(experiment.data.batch)
    batches = evaluation_batches(mixture.graphs.collection, mixture.graphs.positions(part), limits)
    memory = experiment.training.metrics_mib << 20
    corruptor = make_corruptor(experiment, model) if isinstance(model, MolecularModel) else None
    return evaluate(model, batches, corruptor, memory=memory)
