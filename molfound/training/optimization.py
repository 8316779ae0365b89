"""The optimiser and the learning rate over the steps."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from molfound.config.schema import OptimizerConfig, ScheduleConfig
from molfound.training.sharding import is_sharded, shared_like, whole


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
    # One kernel takes the step of a group: its parameters are all sharded, or none is.
    for share, sharded in dict.fromkeys((share, is_sharded(parameter)) for parameter, share in trained.items()):
        some = [p for p, own in trained.items() if own == share and is_sharded(p) is sharded]
        groups += [
            {"params": [p for p in some if p.ndim >= 2], "weight_decay": config.weight_decay, "share": share},
            {"params": [p for p in some if p.ndim < 2], "weight_decay": 0.0, "share": share},
        ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.lr, betas=config.betas, fused=fused)


def optimizer_state(
    optimizer: torch.optim.Optimizer, module: nn.Module, *, kept: bool = True
) -> dict[str, dict[str, Tensor]]:
    """Return what an optimiser knows of each of a module's parameters, by name; see `whole` of sharded ones."""
    return {
        name: whole(optimizer.state[parameter], kept=kept)
        for name, parameter in module.named_parameters()
        if parameter in optimizer.state
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, module: nn.Module, kept: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Give an optimiser back what `optimizer_state` returned, of parameters that may be sharded otherwise."""
    names = {parameter: name for name, parameter in module.named_parameters()}
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = {
        number: {key: shared_like(value, parameter) for key, value in kept[names[parameter]].items()}
        for number, parameter in enumerate(trained)
        if names[parameter] in kept
    }
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


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
