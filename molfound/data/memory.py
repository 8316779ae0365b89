"""Memory that Arrow and the C library keep although nothing uses it."""

import ctypes
import sys

import pyarrow as pa


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
