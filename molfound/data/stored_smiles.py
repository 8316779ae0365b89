"""SMILES that stay in a store until they are asked for."""

from collections import OrderedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from molfound.data.store import GraphStore


class StoredSmiles:
    """The SMILES of a store's molecules that no family rejects, read block by block where they are asked for.

    Args:
        store: of the dataset.
        block_ptr: int64 ``[B + 1]``, the first molecule of each block, see `StoreSizes`.
        kept: how many blocks are kept for the next call.
    """

    def __init__(self, store: GraphStore, block_ptr: NDArray[np.int64], kept: int) -> None:
        self._store, self._block_ptr, self._kept = store, block_ptr, kept
        self._blocks: OrderedDict[int, pa.Array] = OrderedDict()

    def take(self, indices: NDArray[np.int64] | pa.Array) -> pa.Array:
        """Return the SMILES of these molecules.

        Raises:
            MolfoundError: a damaged shard.
        """
        numbers = np.asarray(indices)
        block = np.searchsorted(self._block_ptr, numbers, side="right") - 1
        found = np.empty(len(numbers), object)
        for number in np.unique(block).tolist():
            here = block == number
            found[here] = self._read(number).take(pa.array(numbers[here] - self._block_ptr[number])).to_pylist()
        return pa.array(found, pa.string())

    def _read(self, block: int) -> pa.Array:
        if block not in self._blocks:
            self._blocks[block] = self._store.part([block]).smiles()
        self._blocks.move_to_end(block)
        while len(self._blocks) > self._kept:
            self._blocks.popitem(last=False)
        return self._blocks[block]
