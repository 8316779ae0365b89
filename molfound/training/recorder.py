"""The callback that turns a training into a run: figures, console lines, checkpoints, best weights, early stopping."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from molfound.config.schema import TrainingConfig
from molfound.data.batch import GraphBatch
from molfound.data.memory import release_free_memory
from molfound.data.workers import processor_name
from molfound.model import save_weights
from molfound.training.checkpoint import random_states, save_checkpoint
from molfound.training.console import EpochReporter
from molfound.training.module import TrainingModule
from molfound.training.monitoring import better_direction
from molfound.training.objective import loss_figure
from molfound.training.optimization import optimizer_state
from molfound.training.run_folder import MetricsLog, RunFolder
from molfound.training.sharding import whole

EpochWatch = Callable[[int, float], bool]
"""Is told the number of complete epochs and the monitored figure; returns whether the training is to end with it."""


class TrainingInterruptedError(Exception):
    """The user pressed Ctrl-C; a checkpoint of the last complete step has been written."""


class RunRecorder(Callback):
    """Writes what a run keeps, at the end of every epoch and every `checkpoint_steps` steps.

    Args:
        run: the run folder.
        config: of the training.
        reporter: writes to the console.
        tensorboard: also receives the figures; None: not wanted.
        watch: of several processes, the first one's is asked.

    Attributes:
        interrupted: whether Ctrl-C was pressed.
        cut_short: whether the watch has ended the training.
    """

    def __init__(
        self,
        run: RunFolder,
        config: TrainingConfig,
        reporter: EpochReporter,
        tensorboard: TensorBoardLogger | None = None,
        watch: EpochWatch | None = None,
    ) -> None:
        self.run, self.config, self.reporter, self.tensorboard = run, config, reporter, tensorboard
        self.watch = watch
        self.figures, self.timing = MetricsLog(run.metrics), MetricsLog(run.timing)
        self.interrupted = self.cut_short = False
        self._molecules, self._seconds, self._waiting, self._clock, self._began = 0, 0.0, 0.0, 0.0, 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the epoch's training, which stands still while anything else is done."""
        module = _training(pl_module)
        self._molecules, self._seconds, self._waiting = 0, 0.0, 0.0
        self._began = self._clock = time.perf_counter()
        self.reporter.start_epoch(module.progress.epoch, int(trainer.num_training_batches))

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: GraphBatch, batch_idx: int
    ) -> None:
        """Note how long the batch was waited for; pass on that Ctrl-C was pressed: the processes agree in the step."""
        self._waiting += time.perf_counter() - self._clock
        _training(pl_module).stop_asked = self.interrupted

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: GraphBatch, batch_idx: int
    ) -> None:
        """Count the batch; write a checkpoint where one is due or Ctrl-C was pressed."""
        self._seconds += time.perf_counter() - self._clock
        module = _training(pl_module)
        module.progress.batch += 1
        self._molecules += batch.num_graphs
        self.reporter.advance(batch.num_graphs * module.processes.count)
        # No checkpoint holds gradients that are under way, and the end of the epoch has its own.
        if module.progress.batch % self.config.accumulate == 0 and not trainer.is_last_batch:
            self._save_where_due(trainer, module)
        self._clock = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the epoch's figures, keep the best weights, ask the watch, write the checkpoint, stop where due."""
        module = _training(pl_module)
        progress, weighting = module.progress, module.weighting
        train = {name: progress.loss_sums[name] / progress.loss_counts[name] for name in progress.loss_sums}
        scores = module.evaluation.compute() if module.evaluation is not None else None
        module.evaluation = None  # which holds every prediction of the part
        figures = {f"train/{loss_figure(name)}": value for name, value in train.items()}
        # Without a finite loss of every task there is no sum to tell.
        figures["train/loss"] = weighting.figure(train) if len(train) == len(weighting.names) else math.nan
        figures |= {f"train/{name}": value for name, value in weighting.figures().items()}
        if scores is not None:
            figures |= {f"val/{name}": value for name, value in scores.figures(weighting).items()}

        progress.epoch += 1
        progress.batch, progress.loss_sums, progress.loss_counts = 0, {}, {}
        if module.processes.first:
            self._write_figures(module, figures)
        mode = self.config.monitor_mode or better_direction(self.config.monitor)
        monitored = _figure(figures, self.config.monitor)
        is_best = _is_better(monitored, progress.best, mode)
        if is_best:
            progress.best = monitored
            weights = whole(module.evaluated_state(), kept=module.processes.first)
            if module.processes.first:
                save_weights(weights, self.run.model)
        progress.stopped = self._stops_early(module, figures)
        # Before the checkpoint: an epoch that is trained again after a kill is told again, none is left out.
        cut_short = self.watch is not None and module.processes.first and self.watch(progress.epoch, monitored)
        self._save(trainer, module)
        release_free_memory()
        told = module.processes.gathered((self._molecules, self.interrupted, cut_short))
        molecules, interrupted, cuts = zip(*told, strict=True)
        self.cut_short = any(cuts)
        rate = sum(molecules) / max(self._seconds, 1e-9)
        if module.processes.first:
            self._write_timing(module, sum(molecules))
        self.reporter.end_epoch(progress.epoch, figures, scores, rate, is_best)
        if progress.stopped and (stopping := self.config.early_stopping) is not None:
            self.reporter.line(f"stopped early: best {stopping.monitor} at epoch {progress.stopping_epoch}")
        if progress.stopped or self.cut_short:
            trainer.should_stop = True
        if any(interrupted):
            raise TrainingInterruptedError(f"the end of epoch {progress.epoch}")

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end the training after the step under way; a second one ends it at once.

        In a thread, which signals do not reach, it is the business of whoever started it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(signum: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, previous)
            self.reporter.line("Ctrl-C: finishing this step, then writing a checkpoint (again to stop at once)")

        previous = signal.signal(signal.SIGINT, note)
        try:
            yield
        except SystemExit as ended:
            # Lightning's answer to a second Ctrl-C, with the exit status of a defect.
            if isinstance(ended.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
        finally:
            signal.signal(signal.SIGINT, previous)

    def _save_where_due(self, trainer: Trainer, module: TrainingModule) -> None:
        every = self.config.checkpoint_steps
        interrupted = module.stop_agreed if module.processes.several else self.interrupted
        if interrupted or (every is not None and module.progress.step % every == 0):
            self._save(trainer, module)
        if interrupted:
            module.processes.wait()  # once one has ended, the others have not long
            raise TrainingInterruptedError(f"epoch {module.progress.epoch + 1}, batch {module.progress.batch}")

    def _save(self, trainer: Trainer, module: TrainingModule) -> None:
        random = module.processes.gathered(random_states(module.device))
        first = module.processes.first
        states = {
            "model": whole(module.model.state_dict(), kept=first),
            "weighting": module.weighting.state_dict(),
            "optimizer": optimizer_state(trainer.optimizers[0], module, kept=first),
            "average": None if module.average is None else whole(module.average.state_dict(), kept=first),
        }
        if first:
            length = self.figures.length
            save_checkpoint(self.run.last_checkpoint, module.progress, random, **states, metrics_length=length)

    def _write_figures(self, module: TrainingModule, figures: dict[str, float]) -> None:
        lines = []
        for key, value in figures.items():
            part, *task, name = key.split("/")
            place = {"step": module.progress.step, "epoch": module.progress.epoch, "part": part}
            figure = value if math.isfinite(value) else None
            lines.append({**place, "task": task[0] if task else None, "name": name, "value": figure})
        self.figures.write(lines)
        if self.tensorboard is not None:
            self.tensorboard.log_metrics(figures, module.progress.step)
            self.tensorboard.save()

    def _write_timing(self, module: TrainingModule, molecules: int) -> None:
        """Record an epoch's seconds, or those since it was resumed.

        They are those of training, of which waiting for batches is a part, and of the rest, validation and checkpoints.
        """
        rest = time.perf_counter() - self._began - self._seconds
        seconds = {"seconds": self._seconds, "waiting": self._waiting, "rest": rest}
        gpu = module.device.type == "cuda"
        where = {
            "device": torch.cuda.get_device_name(module.device) if gpu else processor_name(),
            "processes": module.processes.count,
            "threads": torch.get_num_threads(),
            "parameters": sum(parameter.numel() for parameter in module.model.parameters()),
        }
        rounded = {name: round(value, 4) for name, value in seconds.items()}
        self.timing.write([{"epoch": module.progress.epoch, "molecules": molecules, **rounded, **where}])

    def _stops_early(self, module: TrainingModule, figures: dict[str, float]) -> bool:
        stopping, progress = self.config.early_stopping, module.progress
        if stopping is None:
            return False
        value = _figure(figures, stopping.monitor)
        if _is_better(value, progress.stopping_best, stopping.mode or better_direction(stopping.monitor)):
            progress.stopping_best, progress.stopping_epoch = value, progress.epoch
        return progress.epoch - progress.stopping_epoch >= stopping.patience


def _training(module: LightningModule) -> TrainingModule:
    assert isinstance(module, TrainingModule)
    return module


def _figure(figures: Mapping[str, float], name: str) -> float:
    """Return a figure that is watched; NaN in an epoch without it, such as one of no finite batch of the task."""
    return figures.get(name, math.nan)


def _is_better(value: float, best: float | None, mode: str) -> bool:
    if math.isnan(value):
        return False
    return best is None or (value < best if mode == "min" else value > best)
