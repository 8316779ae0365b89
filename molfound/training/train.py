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
from lightning.pytorch.strategies import SingleDeviceStrategy
from rich.console import Console

from molfound.config import load_config, to_yaml
from molfound.config.schema import Experiment, TrainingConfig
from molfound.data.datamodule import MixtureDataModule
from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError
from molfound.model import (
    MolecularModel,
    load_model,
    load_specification,
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
from molfound.training.launch import launch
from molfound.training.mixture import (
    TaskMixture,
    experiment_tasks,
    fit_label_statistics,
    fit_weighting,
    load_task_mixture,
)
from molfound.training.module import TrainingModule
from molfound.training.monitoring import check_monitors
from molfound.training.pretrained import check_head, check_pretrained, start_from
from molfound.training.processes import Processes, check_shared, seed_share, set_up_device
from molfound.training.recorder import EpochWatch, RunRecorder, TrainingInterruptedError
from molfound.training.run_folder import MetricsLog, RunFolder
from molfound.training.same_experiment import check_same
from molfound.training.sharding import shard_encoder
from molfound.training.weighting import weightings


def check(experiment: Experiment, *, quiet: bool = False) -> None:
    """Prepare and load an experiment's data, and look for all that can be known to be wrong without training.

    Args:
        experiment: that is to be trained.
        quiet: whether to tell nothing of how far it has come.

    Raises:
        MolfoundError: a mistake in the experiment or its data.
    """
    load_plugins(Path(path) for path in experiment.plugins)
    _load(experiment, RunFolder(experiment.run_folder), Processes.of_environment(), silent=quiet)


def train(
    experiment: Experiment, *, overwrite: bool = False, quiet: bool = False, watch: EpochWatch | None = None
) -> RunFolder:
    """Prepare the data, train, evaluate and report, and return the run folder.

    Args:
        experiment: what to train.
        overwrite: whether a run that is in the folder already may be replaced.
        quiet: whether to tell nothing of how far it has come.
        watch: asked after each epoch whether the training is to end there; then nothing is evaluated, and `resume`
            would train on. Of more than one device it has to be picklable.

    Raises:
        MolfoundError: a mistake in the experiment or its data, or a run in the folder that would be lost.
    """
    processes = Processes.of_environment()
    run = RunFolder(experiment.run_folder)
    run.check_place()
    if processes.first and run.has_progress and not overwrite:
        raise MolfoundError(
            f"{run.path} holds a run already: go on with it (--resume {run.path}), replace it (--overwrite) or name "
            "another folder (run.folder=…)"
        )
    # The data come first: a mistake in them must not cost the run that is to be replaced.
    plugins = [Path(path) for path in experiment.plugins]
    load_plugins(plugins)
    loaded = _load(experiment, run, processes, silent=quiet)
    # Nor must one that another process alone has met.
    processes.join()
    processes.wait()
    if processes.first:
        run.clear()
        run.write_json(run.data, data_digests(loaded.mixture.graphs))
        write_atomically(run.config, to_yaml(experiment).encode())
        tasks = loaded.mixture.tasks
        save_specification(specify(experiment, tasks, keep_plugins(plugins, run.plugins)), run.specification)
    if processes.several or experiment.training.devices == 1:
        return _fit(experiment, loaded, run, processes, watch, quiet=quiet)
    del loaded  # those who train load their own; this was to find mistakes before they are started
    return _launched(experiment, run, watch)


def resume(
    folder: Path,
    experiment: Experiment | None = None,
    *,
    allow_plugins: bool = False,
    watch: EpochWatch | None = None,
) -> RunFolder:
    """Go on with the run in a folder from its last checkpoint, to the same end as if it had never stopped.

    Args:
        folder: the run folder.
        experiment: what the user takes the run for; where the data lie and what else does not change the result may
            differ from the run's ``config.yaml``. None: what that says.
        allow_plugins: whether the run's own copies of plugins may be executed.
        watch: see `train`.

    Raises:
        MolfoundError: no run there, a model without its checkpoint, a run of another experiment, or data that are no
            longer those it was trained on.
    """
    return _resume(folder, experiment, watch, allow_plugins=allow_plugins)


def _resume(
    folder: Path,
    experiment: Experiment | None,
    watch: EpochWatch | None,
    *,
    allow_plugins: bool,
    launched: bool = False,
) -> RunFolder:
    run = RunFolder.existing(folder)
    if run.is_copy:
        raise MolfoundError(f"{folder} has a model and no checkpoint to go on from: fine-tune it (molfound finetune)")
    kept = load_config(run.config)
    if experiment is not None:
        check_same(kept, experiment, folder)
    specification = load_specification(folder)
    plugins = restore_plugins(specification.plugins, run.plugins, allow_copies=allow_plugins)
    chosen = (experiment or kept).model_copy(update={"plugins": tuple(map(str, plugins))})
    processes = Processes.of_environment()
    loaded = _load(chosen, run, processes, silent=launched)
    check_data_fits(specification, chosen, loaded.mixture.tasks, folder)
    check_data_unchanged(run, loaded.mixture.graphs)
    if processes.several or chosen.training.devices == 1:
        return _fit(chosen, loaded, run, processes, watch)
    del loaded
    return _launched(chosen, run, watch)


def _share(folder: Path, experiment: Experiment, watch: EpochWatch | None) -> None:
    """Do the share of one of several processes that `launch` has started on a run that is prepared."""
    _resume(folder, experiment, watch, allow_plugins=True, launched=True)


def _launched(experiment: Experiment, run: RunFolder, watch: EpochWatch | None) -> RunFolder:
    launch(_share, (run.path, experiment, watch), experiment.training.devices, TrainingInterruptedError)
    return run


class _Loaded(NamedTuple):
    mixture: TaskMixture
    batches: MixtureDataModule
    device: torch.device
    tensorboard: TensorBoardLogger | None


def _load(experiment: Experiment, run: RunFolder, processes: Processes, *, silent: bool = False) -> _Loaded:
    """Return what a training needs, once all that can be known to be wrong without training has been looked for."""
    config = experiment.training
    several = processes.several or config.devices > 1
    device = torch_device(config.accelerator, setting="training.accelerator")
    writer = tensorboard(run) if experiment.run.tensorboard and processes.first else None
    weightings.check(config.task_weights.name, config.task_weights.options)
    say = None if silent or not processes.first else EpochReporter(config.epochs).line
    check_pretrained(experiment)
    if config.pretrained is not None and config.pretrained.head is not None:
        check_head(experiment, experiment_tasks(experiment, progress=say is not None)[1])
    mixture = load_task_mixture(experiment, say)
    check_corruption(experiment)
    check_monitors(config, mixture.tasks, mixture.graphs, experiment.objectives)
    if several:
        check_shared(experiment, mixture.tasks, device, processes.local_count if processes.several else config.devices)
    batches = MixtureDataModule(
        mixture.graphs, experiment.data, experiment.seed, rank=processes.rank, processes=processes.count
    )
    return _Loaded(mixture, batches, device, writer)


def _fit(
    experiment: Experiment,
    loaded: _Loaded,
    run: RunFolder,
    processes: Processes,
    watch: EpochWatch | None,
    *,
    quiet: bool = False,
) -> RunFolder:
    config, mixture, data = experiment.training, loaded.mixture, loaded.batches
    processes.join()
    processes.wait()  # for the first one to have written the run folder
    device = set_up_device(config, loaded.device, processes)
    torch.manual_seed(experiment.seed)
    model = MolecularModel(load_specification(run.path))
    fit_label_statistics(model, mixture)
    weighting = fit_weighting(config.task_weights, model, mixture)
    corruptor = make_corruptor(experiment, model)

    reporter = EpochReporter(config.epochs, None if processes.first and not quiet else Console(quiet=True))
    reporter.line(f"{mixture}; model with {sum(p.numel() for p in model.parameters()):,} parameters")
    steps = -(-data.sampler.count(0) // config.accumulate)
    resumed = run.last_checkpoint.exists()
    if config.pretrained is not None and not resumed:
        start_from(model, config.pretrained)
    if config.shard and processes.several:
        shard_encoder(model, processes, device)
    module = TrainingModule(
        model, config, weighting, total_steps=config.epochs * steps, corruptor=corruptor, processes=processes
    )
    data.position = module.position
    length = 0
    if resumed:
        checkpoint = load_checkpoint(run.last_checkpoint)
        module.restore(checkpoint)
        length = checkpoint["metrics_length"]
        reporter.line(f"going on at epoch {module.progress.epoch + 1}, batch {module.progress.batch + 1}")
    if processes.first:
        MetricsLog(run.metrics).rewind(length)
    seed_share(experiment.seed, processes)

    recorder = RunRecorder(run, config, reporter, loaded.tensorboard, watch)
    if module.progress.epoch < config.epochs and not module.progress.stopped:
        try:
            with recorder.interruptible(), _quiet_lightning():
                epochs = config.epochs - module.progress.epoch
                _trainer(config, device, recorder, epochs).fit(module, data)
        finally:
            reporter.close()
    processes.leave()
    if not processes.first or recorder.cut_short:
        return run
    if not run.model.is_file():
        raise MolfoundError(f"{config.monitor} was never finite, so that no weights were kept in {run.path}")
    finish(experiment, mixture, load_model(run.path).to(device), run, reporter, corruptor)
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
        devices=1 if device.index is None else [device.index],
        # Also of several processes: they meet in the losses, the gradients and the scores (`Processes`).
        strategy=SingleDeviceStrategy(device),
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
