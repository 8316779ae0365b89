"""A task's packed predictions while they are collected: in memory, or in a temporary file, read by range of labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from molfound.tasks.packed import Ints, label_order
from molfound.tasks.scratch_file import ScratchFile

BLOCK = 1 << 20  # numbers, predictions and targets, that are worked on at a time: 4 MiB, near the processor


class LabelledRows(NamedTuple):
    """Values with their labels.

    Attributes:
        label: int32 [V].
        rows: float32 [V, width], the predictions of a value, then its target.
    """

    label: NDArray[np.int32]
    rows: NDArray[np.float32]


class _Run(NamedTuple):
    """A stretch of the file: rows sorted by label, those of label l from `ptr[l]` to `ptr[l + 1]`."""

    offset: int
    ptr: Ints


class CollectedPredictions:
    """Rows of (label, predictions, target), added in any order and read label by label.

    Nothing is lost or rounded by `spill`.

    Args:
        labels: L.
        width: numbers per row.

    Example:
        >>> collected = CollectedPredictions(labels=3, width=2)
        >>> collected.add(LabelledRows(np.array([0, 0, 2], np.int32), np.array([[1, 0], [2, 1], [3, 0]], np.float32)))
        >>> collected.spill()
        >>> collected.held, collected.used.tolist(), collected.read(1, 3).rows.tolist()
        (0, [2, 0, 1], [[3.0, 0.0]])
    """

    def __init__(self, labels: int, width: int) -> None:
        self.labels, self.width = labels, width
        self.used = np.zeros(labels, np.int64)
        self.held = 0
        self._chunks: list[LabelledRows] = []
        self._runs: list[_Run] = []
        self._file: ScratchFile | None = None

    def add(self, chunk: LabelledRows) -> None:
        """Add rows whose labels ascend."""
        if len(chunk.label):
            self._chunks.append(chunk)
            self.used += np.bincount(chunk.label, minlength=self.labels)
            self.held += chunk.label.nbytes + chunk.rows.nbytes

    def spill(self) -> None:
        """Move the rows held in memory into the temporary file.

        Raises:
            MolfoundError: the disk is full.
        """
        if not self._chunks:
            return
        there = sum((np.bincount(chunk.label, minlength=self.labels) for chunk in self._chunks), np.zeros(1, np.int64))
        self._file = self._file or ScratchFile()
        offsets = []
        for first, last in label_ranges(there, self.width):
            held = joined([_between(chunk, first, last) for chunk in self._chunks], self.width)
            offsets.append(self._file.append(_bytes(held.rows[label_order(held.label)])))
        self._runs.append(_Run(offsets[0], np.concatenate([[0], np.cumsum(there)])))
        self._chunks.clear()
        self.held = 0

    def read(self, first: int, last: int) -> LabelledRows:
        """Return the rows of the labels first … last - 1, in no particular order."""
        spilled = [self._read(run, first, last) for run in self._runs]
        return joined([*spilled, *(_between(chunk, first, last) for chunk in self._chunks)], self.width)

    def _read(self, run: _Run, first: int, last: int) -> LabelledRows:
        assert self._file is not None
        start, end = run.ptr[first], run.ptr[last]
        rows = np.empty((end - start, self.width), np.float32)
        self._file.read_into(_bytes(rows), offset=run.offset + int(start) * rows.itemsize * self.width)
        label = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(run.ptr[first : last + 1]))
        return LabelledRows(label, rows)


def label_ranges(used: Ints, width: int) -> list[tuple[int, int]]:
    """Return ranges of labels, (first, last + 1), of at most `BLOCK` numbers each; a label with more stands alone.

    They depend on how often the labels are used and on nothing else, not even on where the rows lie.
    """
    ends = np.cumsum(used) * width
    ranges, first = [], 0
    while first < len(used):
        before = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, before + BLOCK, side="right")), first + 1)
        ranges.append((first, last))
        first = last
    return ranges


def joined(chunks: Sequence[LabelledRows], width: int) -> LabelledRows:
    """Return the rows of all chunks, each of so many numbers, one chunk after the other."""
    label = np.concatenate([np.empty(0, np.int32), *(chunk.label for chunk in chunks)])
    return LabelledRows(label, np.concatenate([np.empty((0, width), np.float32), *(chunk.rows for chunk in chunks)]))


def _between(chunk: LabelledRows, first: int, last: int) -> LabelledRows:
    start, end = np.searchsorted(chunk.label, np.array([first, last], np.int32))
    return LabelledRows(chunk.label[start:end], chunk.rows[start:end])


def _bytes(rows: NDArray[np.float32]) -> memoryview:
    return rows.reshape(-1).view(np.uint8).data
