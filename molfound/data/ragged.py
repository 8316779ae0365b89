"""Lists of different lengths laid end to end, and their form in Arrow."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from molfound.chem.edges import offsets


def places(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the place of each item within its own list.

    >>> places(np.array([2, 0, 3]))
    array([0, 1, 0, 1, 2])
    """
    ptr = offsets(counts)
    return np.arange(ptr[-1]) - np.repeat(ptr[:-1], counts)


def list_column(values: NDArray[Any], ptr: NDArray[np.int64]) -> pa.Array:
    """Return lists as one Arrow column; `ptr` counts items of `values`' first axis, and rows of it are laid flat."""
    width = int(np.prod(values.shape[1:]))
    return pa.ListArray.from_arrays(pa.array((ptr * width).astype(np.int32)), pa.array(values.reshape(-1)))


def flat_values(column: pa.ChunkedArray) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the items of a column of lists without nulls, laid end to end, and the length of each list.

    Those of a single chunk are not copied, and cannot be written to.
    """
    if not column.num_chunks:
        return np.empty(0, column.type.value_type.to_pandas_dtype()), np.empty(0, np.int64)
    values = [chunk.flatten().to_numpy() for chunk in column.chunks]
    counts = [np.diff(chunk.offsets.to_numpy()).astype(np.int64) for chunk in column.chunks]
    return values[0] if len(values) == 1 else np.concatenate(values), np.concatenate(counts)
