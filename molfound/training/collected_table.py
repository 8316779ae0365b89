"""Rows of a table while they are collected: in memory or in a temporary file, read back ascending by their number."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from molfound.tasks.scratch_file import ScratchFile


class _Piece(NamedTuple):
    """A batch of rows: where it is, in memory or at (offset, size) of the file, and its first and last row number."""

    content: pa.RecordBatch | tuple[int, int]
    first: int
    last: int


class CollectedTable:
    """Batches of rows with an integer column `row`; all rows of one number are in one batch.

    Attributes:
        schema: of the batches; None before the first.
        held: bytes held in memory.
    """

    def __init__(self) -> None:
        self.schema: pa.Schema | None = None
        self.held = 0
        self._pieces: list[_Piece] = []
        self._file: ScratchFile | None = None
        self._bytes: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []  # of each row number of each batch

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch, in any order."""
        self.schema = batch.schema
        if batch.num_rows:
            numbers, counts = np.unique(batch.column("row").to_numpy(), return_counts=True)
            self._pieces.append(_Piece(batch, int(numbers[0]), int(numbers[-1])))
            self._bytes.append((numbers, counts * (batch.nbytes / batch.num_rows)))
            self.held += batch.nbytes

    def spill(self) -> None:
        """Move the batches held in memory into a temporary file.

        Raises:
            MolfoundError: the disk is full.
        """
        self._file = self._file or ScratchFile()
        for place, piece in enumerate(self._pieces):
            if isinstance(piece.content, pa.RecordBatch):
                content = memoryview(piece.content.serialize())
                self._pieces[place] = piece._replace(content=(self._file.append(content), len(content)))
        self.held = 0

    def ascending(self, size: int) -> Iterator[pa.Table]:
        """Yield all rows, ascending by number, in tables of about so many bytes; those of one number stay in order."""
        for first, last in self._ranges(size):
            there = (pc.field("row") >= first) & (pc.field("row") <= last)
            overlapping = [piece for piece in self._pieces if piece.first <= last and piece.last >= first]
            tables = [pa.Table.from_batches([self._batch(piece)]).filter(there) for piece in overlapping]
            # A stable sort: the labels of a row keep their order.
            yield pa.concat_tables(tables).sort_by("row")

    def _ranges(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield first and last row number of each table."""
        if not self._pieces:
            return
        numbers, sizes = (np.concatenate(parts) for parts in zip(*self._bytes, strict=True))
        order = np.argsort(numbers)
        numbers, ends = numbers[order], np.cumsum(sizes[order])
        start = 0
        while start < len(numbers):
            before = ends[start - 1] if start else 0
            end = max(int(np.searchsorted(ends, before + size, side="right")), start + 1)
            yield int(numbers[start]), int(numbers[end - 1])
            start = end

    def _batch(self, piece: _Piece) -> pa.RecordBatch:
        if isinstance(piece.content, pa.RecordBatch):
            return piece.content
        assert self._file is not None
        offset, size = piece.content
        content = bytearray(size)
        self._file.read_into(memoryview(content), offset=offset)
        return pa.ipc.read_record_batch(pa.py_buffer(content), self.schema)
