"""The optimiser and the learning rate over the steps."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from molfound.config.schema import OptimizerConfig, ScheduleConfig


def make_optimizer(
    parameters: Iterable[nn.Parameter],
    config: OptimizerConfig,
    *,
    shares: Mapping[nn.Parameter, float] | None = None,
    fused: bool = True,
) -> torch.optim.AdamW:
    """Return AdamW over the parameters; matrices decay, vectors (biases, norms) do not.

    Args:
        parameters: those that do not require a gradient are left out.
        config: rates and decays.
        shares: of the learning rate, kept as ``share`` of each group; a parameter without one gets all of it.
        fused: take the step in one kernel; Lightning cannot clip gradients of such an optimiser in mixed precision.

    Example:
        >>> optimizer = make_optimizer(nn.Linear(2, 3).parameters(), OptimizerConfig(weight_decay=0.1))
        >>> [group["weight_decay"] for group in optimizer.param_groups]
        [0.1, 0.0]
    """
    trained = {p: 1.0 if shares is None else shares.get(p, 1.0) for p in parameters if p.requires_grad}
    groups: list[dict[str, Any]] = []
    for share in dict.fromkeys(trained.values()):
        some = [parameter for parameter, own in trained.items() if own == share]
        groups += [
            {"params": [p for p in some if p.ndim >= 2], "weight_decay": config.weight_decay, "share": share},
            {"params": [p for p in some if p.ndim < 2], "weight_decay": 0.0, "share": share},
        ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.lr, betas=config.betas, fused=fused)


def learning_rate_factor(schedule: ScheduleConfig, step: int, total_steps: int) -> float:
    """Return the learning rate of optimiser step `step` (from 0) as a share of the highest.

    It rises linearly over the warm-up. Then it stays (constant) or goes down (linear, cosine) towards `schedule.final`,
    which it would reach with the step after the last one. It is a pure function of the step, so a resumed training
    needs no state for it.

    Example:
        >>> schedule = ScheduleConfig(name="linear", warmup=0.5, final=0.0)
        >>> [learning_rate_factor(schedule, step, 4) for step in range(4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    warmup = round(schedule.warmup * total_steps)
    if step < warmup:
        return (step + 1) / warmup
    progress = min((step - warmup) / max(total_steps - warmup, 1), 1.0)
    match schedule.name:
        case "constant":
            return 1.0
        case "linear":
            shape = 1.0 - progress
        case "cosine":
            shape = (1.0 + math.cos(math.pi * progress)) / 2
    return schedule.final + (1.0 - schedule.final) * shape
