"""The device that a model computes on."""

import torch

from molfound.errors import MolfoundError


def torch_device(name: str | torch.device = "auto", *, setting: str = "device") -> torch.device:
    """Return the device of a name: ``auto``, ``gpu`` or one of torch's own.

    Args:
        name: ``auto``: a GPU where there is one, else the CPU. ``gpu``: CUDA's or Apple's (mps), whichever is there.
            ``cpu``, ``cuda``, ``cuda:1``, ``mps``: that one.
        setting: what the user set to the name, for the message.

    Raises:
        MolfoundError: a name that torch does not know, or a device that is not there.

    Example:
        >>> torch_device("cpu")
        device(type='cpu')
    """
    gpus = [kind for kind, module in (("cuda", torch.cuda), ("mps", torch.backends.mps)) if module.is_available()]
    if name == "auto":
        return torch.device(gpus[0] if gpus else "cpu")
    try:
        device = torch.device((gpus or ["cuda"])[0] if name == "gpu" else name)
    except RuntimeError:
        raise MolfoundError(f"{setting}={name} is no device; try auto, cpu, cuda or mps") from None
    is_there = device.type in ("cpu", *gpus)
    if device.type == "cuda" and device.index is not None:
        is_there = is_there and device.index < torch.cuda.device_count()
    if not is_there:
        raise MolfoundError(f"{setting}={name}, but torch sees no such device here; try auto or cpu")
    return device
