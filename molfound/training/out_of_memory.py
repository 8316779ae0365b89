"""A training that memory does not suffice for, told as a mistake, so that others after it are not lost with it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from molfound.errors import MolfoundError

SIGNS = ("OutOfMemoryError", "not enough memory", "can't allocate memory")


@contextmanager
def out_of_memory_told() -> Iterator[None]:
    """Raise a `MolfoundError` where the memory of a device or of the machine does not suffice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MolfoundError(f"out of memory: {told}") from None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error tells that the memory of a device or of the machine did not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(sign in str(error) for sign in SIGNS)


def free_what_failed() -> None:
    """Free what the exception of a training held, once it is handled."""
    gc.collect()
    torch.cuda.empty_cache()
