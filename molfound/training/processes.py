"""The processes of a training: which of them this one is, and what they tell each other."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from molfound.config.schema import Experiment, TrainingConfig
from molfound.data.sampler import random_words
from molfound.data.workers import available_cores
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, specify
from molfound.nn.blocks import BatchNorm
from molfound.tasks.task import Task

PATIENCE = timedelta(hours=1)  # for the others, who may have more data to load


@dataclass(frozen=True)
class Processes:
    """The processes that share a training, by the environment that torchrun sets.

    Each of them works on a share of every batch. What they have to know of each other goes through here; of one
    process alone everything is the identity.

    Attributes:
        rank: the number of this process, from 0.
        count: how many there are, on all machines.
        local_rank: its number on this machine, and that of its GPU.
        local_count: how many there are on this machine.

    Example:
        >>> alone = Processes()
        >>> alone.first, alone.gathered("what it knows")
        (True, ['what it knows'])
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @classmethod
    def of_environment(cls) -> "Processes":
        """Return the processes that torchrun or `launch` has started; this one alone where nobody has.

        Raises:
            MolfoundError: a part of the environment is missing.
        """
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        if "RANK" not in os.environ:
            return cls()
        missing = [name for name in names if name not in os.environ]
        if missing:
            raise MolfoundError(f"the environment has RANK but no {missing[0]}: start several processes with torchrun")
        return cls(*(int(os.environ[name]) for name in names))

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.count > 1

    @property
    def group(self) -> dist.ProcessGroup | None:
        """The group of `torch.distributed`, None where this process is alone."""
        return dist.group.WORLD if self.several else None

    def join(self) -> None:
        """Meet the others; all of them must call this before anything below.

        Raises:
            MolfoundError: they do not come.
        """
        if not self.several or dist.is_initialized():
            return
        try:
            dist.init_process_group(timeout=PATIENCE, rank=self.rank, world_size=self.count)
        except (dist.DistError, ValueError) as error:
            raise MolfoundError(f"process {self.rank} of {self.count} does not reach the others: {error}") from error

    def leave(self) -> None:
        """Part from the others."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.several:
            dist.barrier()

    def gathered(self, mine: Any) -> list[Any]:
        """Return what each process gives, picklable, in their order."""
        if not self.several:
            return [mine]
        given: list[Any] = [None] * self.count
        dist.all_gather_object(given, mine)
        return given

    def total(self, mine: Tensor) -> Tensor:
        """Return the sum over all processes, which has a gradient for what this one adds.

        A loss of it is the same number in every process. Averaged over the processes (`average_gradients`), its
        gradients are those of the loss that one process would have alone, for parameters before and after the sum.
        """
        if not self.several:
            return mine
        total: Tensor = _Total.apply(mine, self.count)  # type: ignore[no-untyped-call]
        return total

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over the processes; one that no process has stays away.

        Those of sharded parameters are means already.
        In one order and one piece for all parameters, so that the bits do not depend on when gradients were ready.
        """
        if not self.several:
            return
        trained = [p for p in parameters if p.requires_grad and not isinstance(p, DTensor)]
        if not trained:
            return
        there = torch.tensor([p.grad is not None for p in trained], device=trained[0].device, dtype=torch.int32)
        dist.all_reduce(there, op=dist.ReduceOp.MAX)
        used = [parameter for parameter, some in zip(trained, there.tolist(), strict=True) if some]
        if not used:
            return
        for parameter in used:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in used if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        parts: Sequence[Tensor] = torch.split(flat, [gradient.numel() for gradient in gradients])
        torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)])


ALONE = Processes()


class _Total(torch.autograd.Function):
    """The sum over all processes; its gradient is multiplied by their number, for it will be averaged over them."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor, count: int) -> Tensor:
        ctx.count = count
        total = mine.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.count, None


def check_shared(experiment: Experiment, tasks: Mapping[str, Task], device: torch.device, count: int) -> None:
    """Refuse what several processes on one machine cannot share.

    Raises:
        MolfoundError: more processes than GPUs, or a model that normalises over the batch, of which each process knows
            its share only.
    """
    if device.type == "cuda" and count > torch.cuda.device_count():
        raise MolfoundError(f"training.devices={count}, but this machine has {torch.cuda.device_count()} GPUs")
    if device.type == "mps":
        raise MolfoundError("several processes need CUDA's GPUs or accelerator=cpu, not mps")
    with torch.device("meta"):
        model = MolecularModel(specify(experiment, tasks))
    for name, module in model.named_modules():
        if isinstance(module, BatchNorm):
            raise MolfoundError(
                f"norm 'batch' (at {name}) with several processes: each would normalise over its share of a batch; "
                "choose norm: layer, or one process"
            )


def set_up_device(config: TrainingConfig, device: torch.device, processes: Processes) -> torch.device:
    """Return the device of this process, and give it its share of the cores."""
    threads = config.threads
    if threads is None and processes.several:
        threads = max(1, available_cores() // processes.local_count)
    if threads is not None:
        torch.set_num_threads(threads)
    if device.type != "cuda" or not processes.several:
        return device
    own = torch.device("cuda", processes.local_rank)
    torch.cuda.set_device(own)
    return own


def seed_share(seed: int, processes: Processes) -> None:
    """Seed torch's random numbers anew in all processes but the first, so that no two drop the same units out."""
    if not processes.first:
        torch.manual_seed(int(random_words(seed, "process", processes.rank, size=1)[0] >> np.uint64(1)))
