"""Training checkpoints: tensors and plain values only, written whole or not at all."""

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError

SCHEMA = 3


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: complete epochs, so the number of the epoch under way.
        batch: global batches taken in that epoch.
        step: optimiser steps in all.
        best: the best value of the monitored figure so far, None before the first.
        stopping_best: the best value of the figure that early stopping watches.
        stopping_epoch: the number of complete epochs at that time.
        stopped: whether early stopping has ended the training.
        loss_sums: for each task, the sum of the training loss over this epoch's batches.
        loss_counts: for each task, the number of this epoch's batches with a label of it.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float | None = None
    stopping_best: float | None = None
    stopping_epoch: int = 0
    stopped: bool = False
    loss_sums: dict[str, float] = field(default_factory=dict)
    loss_counts: dict[str, int] = field(default_factory=dict)


def save_checkpoint(path: Path, progress: Progress, random: list[dict[str, Tensor]], **states: Any) -> None:
    """Write a checkpoint that `load_checkpoint` reads; an older one stays whole until this one is.

    Args:
        path: the file.
        progress: how far the training is.
        random: what `random_states` returned in each process.
        **states: state dicts and plain values (``model``, ``optimizer``, ``average``, …).
    """
    buffer = io.BytesIO()
    torch.save({"schema": SCHEMA, "progress": asdict(progress), "random": random, **states}, buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content, read without executing anything, its progress as a `Progress`.

    Raises:
        MolfoundError: the file is missing, damaged, or of another version.
    """
    if not path.is_file():
        raise MolfoundError(f"checkpoint not found: {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise MolfoundError(f"checkpoint {path} cannot be read: it is damaged, or no checkpoint of molfound") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise MolfoundError(f"checkpoint {path} is not of this version (schema {SCHEMA})")
    content["progress"] = Progress(**content["progress"])
    return content


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random-number generators that training on a device draws from, by kind of device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Set the random-number generators to states that `random_states` returned, on whatever kind of device that was."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
