"""A moving average of the weights, which is evaluated and kept instead of the last weights."""

from typing import Any

import torch
from torch import Tensor, nn

from molfound.training.sharding import own_share, shared_like


class WeightAverage:
    """Exponential moving average of a module's parameters and floating-point buffers.

    At step n the decay is ``min(decay, (1 + n) / (10 + n))``, so that the random start is soon forgotten (as in
    TensorFlow's ExponentialMovingAverage).

    Args:
        module: what is averaged; its present state is the start.
        decay: of the average per optimiser step, in (0, 1).

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> average = WeightAverage(layer, decay=0.9)
        >>> with torch.no_grad():
        ...     _ = layer.weight.add_(1.0)
        >>> average.update(layer)
        >>> (layer.weight - average.state["weight"]).item() < 1.0
        True
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    def to(self, device: torch.device) -> None:
        """Move the average to a device, the module's."""
        self.state = {name: tensor.to(device) for name, tensor in self.state.items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module's present state."""
        self.steps += 1
        weight = 1.0 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        averaged: list[Tensor] = []
        present: list[Tensor] = []
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                averaged.append(own_share(self.state[name]))
                present.append(own_share(tensor))
            else:
                self.state[name].copy_(tensor)
        torch._foreach_lerp_(averaged, present, weight)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of the average."""
        return {"steps": self.steps, "state": self.state}

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Take up the average that `state_dict` returned."""
        self.steps = kept["steps"]
        for name, tensor in kept["state"].items():
            self.state[name].copy_(shared_like(tensor, self.state[name]))

    def swap(self, module: nn.Module) -> None:
        """Exchange the module's state and the average: call once before evaluating and once after."""
        present = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        module.load_state_dict(self.state)
        self.state = present
