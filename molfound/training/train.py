"""Train an experiment into a run folder, or go on with one that was interrupted."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from molfound.config import load_config, to_yaml
from molfound.config.schema import Experiment, TrainingConfig
from molfound.data.datamodule import MixtureDataModule
from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError
from molfound.model import (
    MolecularModel,
    load_specification,
    load_weights,
    save_specification,
    specify,
    torch_device,
)
from molfound.plugins import keep_plugins, load_plugins, restore_plugins
from molfound.training.checkpoint import load_checkpoint
from molfound.training.console import EpochReporter
from molfound.training.corrupting import check_corruption, make_corruptor
from molfound.training.finish import finish
from molfound.training.fit_check import check_data_fits, check_data_unchanged, data_digests
from molfound.training.mixture import TaskMixture, fit_label_statistics, fit_weighting, load_task_mixture
from molfound.training.module import TrainingModule
from molfound.training.monitoring import check_monitors
from molfound.training.pretrained import check_pretrained, start_from
from molfound.training.recorder import RunRecorder
from molfound.training.run_folder import MetricsLog, RunFolder
from molfound.training.weighting import weightings


def train(experiment: Experiment, *, overwrite: bool = False) -> RunFolder:
    """Prepare the data, train, evaluate and report, and return the run folder.

    Args:
        experiment: what to train.
        overwrite: whether a run that is in the folder already may be replaced.

    Raises:
        MolfoundError: a mistake in the experiment or its data, or a run in the folder that would be lost.
    """
    run = RunFolder(experiment.run_folder)
    run.check_place()
    if run.has_progress and not overwrite:
        raise MolfoundError(
            f"{run.path} holds a run already: go on with it (--resume {run.path}), replace it (--overwrite) or name "
            "another folder (run.folder=…)"
        )
    # The data come first: a mistake in them must not cost the run that is to be replaced.
    plugins = [Path(path) for path in experiment.plugins]
    load_plugins(plugins)
    loaded = _load(experiment, run)
    run.clear()
    run.write_json(run.data, data_digests(loaded.mixture.graphs))
    write_atomically(run.config, to_yaml(experiment).encode())
    tasks = loaded.mixture.tasks
    save_specification(specify(experiment, tasks, keep_plugins(plugins, run.plugins)), run.specification)
    return _fit(experiment, loaded, run)


def resume(folder: Path, experiment: Experiment | None = None, *, allow_plugins: bool = False) -> RunFolder:
    """Go on with the run in a folder from its last checkpoint, to the same end as if it had never stopped.

    Args:
        folder: the run folder.
        experiment: what the user takes the run for; where the data lie and what else does not change the result may
            differ from the run's ``config.yaml``. None: what that says.
        allow_plugins: whether the run's own copies of plugins may be executed.

    Raises:
        MolfoundError: no run there, one of another experiment, or data that are no longer those it was trained on.
    """
    run = RunFolder.existing(folder)
    kept = load_config(run.config)
    if experiment is not None:
        check_same(kept, experiment, folder)
    specification = load_specification(folder)
    plugins = restore_plugins(specification.plugins, run.plugins, allow_copies=allow_plugins)
    chosen = (experiment or kept).model_copy(update={"plugins": tuple(map(str, plugins))})
    loaded = _load(chosen, run)
    check_data_fits(specification, chosen, loaded.mixture.tasks, folder)
    check_data_unchanged(run, loaded.mixture.graphs)
    return _fit(chosen, loaded, run)


class _Loaded(NamedTuple):
    mixture: TaskMixture
    batches: MixtureDataModule
    device: torch.device
    tensorboard: TensorBoardLogger | None


def _load(experiment: Experiment, run: RunFolder) -> _Loaded:
    """Return what a training needs, once all that can be known to be wrong without training has been looked for."""
    device = torch_device(experiment.training.accelerator, setting="training.accelerator")
    writer = tensorboard(run) if experiment.run.tensorboard else None
    weightings.check(experiment.training.task_weights.name, experiment.training.task_weights.options)
    mixture = load_task_mixture(experiment, EpochReporter(experiment.training.epochs).line)
    check_pretrained(experiment)
    check_corruption(experiment)
    check_monitors(experiment.training, mixture.tasks, mixture.graphs, experiment.objectives)
    return _Loaded(mixture, MixtureDataModule(mixture.graphs, experiment.data, experiment.seed), device, writer)


def _fit(experiment: Experiment, loaded: _Loaded, run: RunFolder) -> RunFolder:
    config, mixture, data = experiment.training, loaded.mixture, loaded.batches
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    torch.manual_seed(experiment.seed)
    model = MolecularModel(load_specification(run.path))
    fit_label_statistics(model, mixture)
    weighting = fit_weighting(config.task_weights, model, mixture)
    corruptor = make_corruptor(experiment, model)

    reporter = EpochReporter(config.epochs)
    reporter.line(f"{mixture}; model with {sum(p.numel() for p in model.parameters()):,} parameters")
    steps = -(-data.sampler.count(0) // config.accumulate)
    module = TrainingModule(model, config, weighting, total_steps=config.epochs * steps, corruptor=corruptor)
    data.position = module.position
    if run.last_checkpoint.exists():
        checkpoint = load_checkpoint(run.last_checkpoint)
        module.restore(checkpoint)
        MetricsLog(run.metrics).rewind(checkpoint["metrics_length"])
        reporter.line(f"going on at epoch {module.progress.epoch + 1}, batch {module.progress.batch + 1}")
    else:
        if config.pretrained is not None:
            start_from(model, Path(config.pretrained.run))
        MetricsLog(run.metrics).rewind(0)

    recorder = RunRecorder(run, config, reporter, loaded.tensorboard)
    if module.progress.epoch < config.epochs and not module.progress.stopped:
        try:
            with recorder.interruptible(), _quiet_lightning():
                epochs = config.epochs - module.progress.epoch
                _trainer(config, loaded.device, recorder, epochs).fit(module, data)
        finally:
            reporter.close()
    if not run.model.is_file():
        raise MolfoundError(f"{config.monitor} was never finite, so that no weights were kept in {run.path}")
    load_weights(model, run.model)
    # Lightning leaves the model on the CPU.
    finish(experiment, mixture, model.to(loaded.device), run, reporter, corruptor)
    return run


def tensorboard(run: RunFolder) -> TensorBoardLogger:
    """Return the writer of TensorBoard's files in the run folder.

    Raises:
        MolfoundError: TensorBoard is not installed.
    """
    try:
        return TensorBoardLogger(run.path, name=run.tensorboard.name, version="")
    except ModuleNotFoundError:
        raise MolfoundError("run.tensorboard needs TensorBoard: pip install 'molfound[track]'") from None


def _trainer(config: TrainingConfig, device: torch.device, recorder: RunRecorder, epochs: int) -> Trainer:
    """Return the trainer; `recorder` writes the checkpoints, so that any moment of a training can be resumed."""
    return Trainer(
        accelerator=device.type,
        devices=1,
        precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        max_epochs=epochs,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.clip,
        callbacks=[recorder],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        # The first epoch of a resumed training is shorter than the next: each asks for its own batches.
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's notes about devices and loaders, which do not concern users here, off the console."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\.")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def check_same(kept: Experiment, given: Experiment, folder: Path) -> None:
    """Refuse to resume a run as another experiment; where the data and the store lie may differ.

    Raises:
        MolfoundError: names the keys that differ.
    """
    ours, theirs = (_flat(experiment.model_dump(mode="json")) for experiment in (kept, given))
    free = {"data.root", "data.store", "data.processes", "plugins", "run.folder"}
    free |= {"training.threads", "training.metrics_mib"}
    differing = sorted(
        key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key) and key not in free
    )
    if differing:
        raise MolfoundError(
            f"{folder} is a run of another experiment: {', '.join(differing[:5])} differ; resume it without a "
            "configuration, or train into another folder"
        )


def _flat(tree: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(tree, dict) or not tree:
        return {prefix: tree}
    return {
        key: value
        for name, branch in tree.items()
        for key, value in _flat(branch, f"{prefix}.{name}" if prefix else name).items()
    }
