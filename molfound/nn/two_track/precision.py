"""What is computed in float32 also where autocast would choose less."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def widened(values: Tensor) -> Tensor:
    """Return the values in float32, or as they are in float64.

    Example:
        >>> widened(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))


def without_autocast(values: Tensor) -> AbstractContextManager[object]:
    """Return a context in which autocast is off on the device of the values."""
    device = values.device.type
    # The meta device, on which FLOPs are counted, knows no autocast.
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
