"""The Lightning module: one training step of a multi-task model, and what it needs to go on where it was killed."""

import math
import sys
from itertools import chain
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from molfound.config.schema import TrainingConfig
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.model import MolecularModel
from molfound.tasks.corruption import CorruptedBatch
from molfound.training.average import WeightAverage
from molfound.training.checkpoint import Progress, restore_random_states
from molfound.training.corrupting import Corruptor
from molfound.training.evaluation import Evaluation
from molfound.training.objective import StepSums, added_up, task_sums, with_present_labels
from molfound.training.optimization import learning_rate_factor, load_optimizer_state, make_optimizer
from molfound.training.pretrained import freeze, learning_rate_shares
from molfound.training.processes import ALONE, Processes
from molfound.training.sharding import clip_gradients, is_sharded, load_whole
from molfound.training.weighting import TaskWeighting


class TrainingModule(LightningModule):
    """Trains a `MolecularModel` on batches of a mixture.

    Args:
        model: the model.
        config: how it is trained.
        weighting: makes one loss of those of the tasks and objectives.
        total_steps: optimiser steps of the whole training, for the learning-rate schedule.
        corruptor: takes from the batches what the model's objectives restore; None: it has none.
        processes: that share the training; each has a copy of the model.

    Attributes:
        stop_asked: whether this process is to stop after the step under way.
        stop_agreed: whether any process was asked to before its last step, which all know alike.
    """

    def __init__(
        self,
        model: MolecularModel,
        config: TrainingConfig,
        weighting: TaskWeighting,
        total_steps: int,
        corruptor: Corruptor | None = None,
        processes: Processes = ALONE,
    ) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.total_steps = total_steps
        self.corruptor = corruptor
        self.processes = processes
        self.stop_asked = self.stop_agreed = False
        self.sharded = any(is_sharded(parameter) for parameter in model.parameters())
        self.weighting = weighting
        self.progress = Progress()
        self.average = WeightAverage(model, config.average) if config.average is not None else None
        self.evaluation: Evaluation | None = None
        self._restored: dict[str, Any] | None = None
        # The compiled function shares the model's parameters; a tuple keeps it out of the module's own. What objectives
        # read depends on chance in its shape: with them the encoder alone is compiled.
        self._network = (torch.compile(model, dynamic=True) if config.compile and corruptor is None else model,)
        if config.compile and corruptor is not None:
            model.encoder.compile(dynamic=True)

    def position(self) -> tuple[int, int]:
        """Return the epoch under way and how many of its batches have been taken."""
        return self.progress.epoch, self.progress.batch

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Take up a checkpoint; the optimiser and the random numbers follow when the training starts."""
        self._restored = checkpoint
        self.progress = checkpoint["progress"]
        load_whole(self.model, checkpoint["model"])
        self.weighting.load_state_dict(checkpoint["weighting"])
        if self.average is not None:
            self.average.load_state_dict(checkpoint["average"])

    def configure_optimizers(self) -> Optimizer:
        """Return the optimiser; the learning rate is set at every step from the step's number."""
        optimizer = make_optimizer(
            chain(self.model.parameters(), self.weighting.parameters()),
            self.config.optimizer,
            shares=learning_rate_shares(self.model, self.config.pretrained),
            fused=self.config.precision == "32",
        )
        if self._restored is not None:
            load_optimizer_state(optimizer, self, self._restored["optimizer"])
        return optimizer

    def on_train_start(self) -> None:
        """Follow the model to its device; put the random numbers back to where the checkpoint left them."""
        if self.average is not None:
            self.average.to(self.device)
        if self._restored is not None:
            kept = self._restored["random"]
            if self.processes.rank < len(kept):
                restore_random_states(kept[self.processes.rank], self.device)
            self._restored = None

    def on_train_epoch_start(self) -> None:
        """Freeze or thaw the stages of a pretrained encoder."""
        freeze(self.model, self.config.pretrained, self.progress.epoch + 1)

    def training_step(self, batch: GraphBatch | CorruptedBatch, batch_idx: int) -> Tensor | None:
        """Return the batch's loss, or None if it is not finite and such batches are skipped."""
        if isinstance(batch, CorruptedBatch):
            read, labelled = batch.batch, batch.original
            predictions, objectives = self.model.restore(batch)
        else:
            read = labelled = batch
            predictions, objectives = self._network[0](batch), {}
        sums = StepSums(task_sums(self.model, predictions, labelled), objectives)
        unused = self._unused(sums, predictions, read)
        sums, self.stop_agreed = added_up(sums, self.model, self.processes, self.stop_asked)
        losses = sums.losses(self.model)
        loss: Tensor = self.weighting(losses)
        # All at once, so that a GPU is waited for once. None is kept for later: small tensors scattered over the heap
        # would let it grow with every batch.
        figure, *figures = torch.stack([value.detach() for value in (loss, *losses.values())]).tolist()
        if not math.isfinite(figure):
            self._refuse(losses, labelled)
            return None
        self._count(dict(zip(losses, figures, strict=True)))
        loss = loss if unused is None else loss + unused
        return loss if loss.requires_grad else None

    def _unused(self, sums: StepSums, predictions: dict[str, Tensor], batch: GraphBatch) -> Tensor | None:
        """Return 0 that depends on the encoder, for a process whose share of the batch has no label in it.

        All processes go through a sharded encoder together, there and back. None: there is nothing to be done.
        """
        if not self.sharded or sums.objectives or sums.tasks:
            return None
        made = [self.model.represent(batch).nodes] if not predictions else predictions.values()
        return torch.stack([0 * values.float().nan_to_num().sum() for values in made]).sum()

    def _count(self, losses: dict[str, float]) -> None:
        """Add a batch's losses to those of the epoch."""
        for name, value in losses.items():
            self.progress.loss_sums[name] = self.progress.loss_sums.get(name, 0.0) + value
            self.progress.loss_counts[name] = self.progress.loss_counts.get(name, 0) + 1

    def on_train_batch_start(self, batch: GraphBatch, batch_idx: int) -> None:
        """Set the learning rate of this step."""
        factor = learning_rate_factor(self.config.schedule, self.progress.step, self.total_steps)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.config.optimizer.lr * factor * group["share"]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take the step, count it and move the average of the weights."""
        super().optimizer_step(*args, **kwargs)
        self.progress.step += 1
        if self.average is not None:
            self.average.update(self.model)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Make the gradients those of the whole batch."""
        self.processes.average_gradients(chain(self.model.parameters(), self.weighting.parameters()))

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Bound the norm of all gradients together."""
        if self.sharded and gradient_clip_val is not None:
            clip_gradients(self.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_validation_start(self) -> None:
        """Evaluate the averaged weights where there are any."""
        if self.average is not None:
            self.average.swap(self.model)
        memory = self.config.metrics_mib << 20
        self.evaluation = Evaluation(self.model, self.corruptor, memory=memory, processes=self.processes)

    def validation_step(self, batch: GraphBatch, batch_idx: int) -> None:
        """Collect the predictions of a batch."""
        assert self.evaluation is not None
        # In full precision, as the scores of the finished model are.
        with torch.autocast(self.device.type, enabled=False):
            predictions = self.model(batch)
            if self.sharded and not predictions and self.corruptor is None:
                self.model.represent(batch)  # as the other processes do
            self.evaluation.update(predictions, batch)

    def on_validation_end(self) -> None:
        """Go back to the weights in training."""
        if self.average is not None:
            self.average.swap(self.model)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Return a batch on the device, with the labels of those tasks only that have any in it."""
        labelled = with_present_labels(batch)
        present: GraphBatch | CorruptedBatch = labelled
        if self.corruptor is not None and self.training:
            present = self.corruptor(labelled, "training", self.progress.epoch)
        if device.type != "cuda":
            return present.to(device)
        # From page-locked memory, so that the copy waits for nothing that the GPU is still at.
        return present.pin_memory().to(device, non_blocking=True)

    def evaluated_state(self) -> dict[str, Tensor]:
        """Return the weights that validation saw: the average where there is one."""
        return self.model.state_dict() if self.average is None else self.average.state

    def _refuse(self, losses: dict[str, Tensor], batch: GraphBatch) -> None:
        broken = [name for name, loss in losses.items() if not torch.isfinite(loss)]
        rows = {
            dataset: batch.rows[slice(*batch.datasets[dataset])].tolist()[:5]
            for dataset in {self.model.tasks[name].dataset for name in broken if name in self.model.tasks}
            or batch.datasets
        }
        shown = "; ".join(f"{dataset} rows {', '.join(map(str, some))}, …" for dataset, some in rows.items())
        message = (
            f"the loss of {', '.join(broken) or 'all tasks together'} is not finite at epoch {self.progress.epoch}, "
            f"step {self.progress.step} (batch with {shown})"
        )
        if self.config.nonfinite == "stop":
            raise MolfoundError(
                f"{message}; lower training.optimizer.lr, or set training.nonfinite=skip to leave such batches out"
            )
        if self.processes.first:
            print(f"skipped: {message}", file=sys.stderr, flush=True)
