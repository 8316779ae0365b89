"""Memory that Arrow and the C library keep although nothing uses it."""

import ctypes
import sys

import pyarrow as pa

LARGE = 1 << 19  # bytes
_MMAP_THRESHOLD = -3  # glibc's number of the parameter


def keep_heap_small() -> None:
    """Have glibc take large tensors, from 512 KiB on, from the operating system and give them back at once.

    By default it raises that size as it goes, up to 32 MiB, and what it takes from its heap leaves gaps there: the
    resident memory of an epoch of batches with a thousand labels then grows by a fifth, and that of a prediction by
    thirty megabytes for each block of 4,096 molecules at first.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_MMAP_THRESHOLD, LARGE)


def release_free_memory() -> None:
    """Give free memory back to the operating system: Arrow's, and the C library's where it can be asked to (glibc).

    What Arrow has read with it keeps, which adds up over the windows of an epoch. Batches of ever different sizes leave
    gaps in the heap, so that the resident memory of a training on a CPU grows although no tensor is kept: by a megabyte
    per batch of a task with a thousand labels.
    """
    pa.default_memory_pool().release_unused()
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
