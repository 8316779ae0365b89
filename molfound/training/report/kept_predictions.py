"""The predictions that a run keeps of its test part, read piece by piece: there may be millions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from molfound.training.labelled_predictions import of_label

COLUMNS = ["label", "prediction", "target"]
ROWS_AT_ONCE = 1 << 16
VALUES_HELD = 1 << 22
"""Values of several labels that are in memory together, 8 bytes each; those of one label always are."""


class Values(NamedTuple):
    """Finite predictions beside the labels that they are to meet, original units or probabilities; [V] each."""

    label: NDArray[np.integer]
    prediction: NDArray[np.floating]
    target: NDArray[np.floating]


class KeptPredictions:
    """The finite predictions of a task in a file of a run.

    Args:
        path: a Parquet file with the columns label, prediction and target.
        names: of the task's labels, in the order that numbers them.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path, self.names = path, tuple(names)
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def pieces(self) -> Iterator[Values]:
        """Yield all values, some at a time."""
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=COLUMNS, use_threads=False):
                numbers = of_label(batch.column("label"), self._numbers).astype(np.int32)
                prediction, target = (
                    batch.column(name).to_numpy(zero_copy_only=False) for name in ("prediction", "target")
                )
                finite = np.isfinite(prediction) & np.isfinite(target)
                yield Values(numbers[finite], prediction[finite], target[finite])

    def counts(self) -> NDArray[np.int64]:
        """Return how many values each label has of class 0 and of class 1, as which one half and less, or more, count.

        Returns:
            int64 ``[labels, 2]``.
        """
        counts = np.zeros((len(self.names), 2), np.int64)
        for values in self.pieces():
            classes = 2 * values.label + (values.target > 0.5)
            counts += np.bincount(classes, minlength=counts.size).reshape(counts.shape)
        return counts

    def of_labels(self, labels: Sequence[int], counts: NDArray[np.int64]) -> Iterator[Values]:
        """Yield the values of each of these labels, in their order.

        The file is read once for all of them together that `VALUES_HELD` allows.

        Args:
            labels: numbers of labels.
            counts: see `counts`.
        """
        for together in _groups(labels, counts.sum(1)):
            held = [values for values in self._only(together) if len(values.label)]
            label, prediction, target = (np.concatenate(parts) for parts in zip(*held, strict=True))
            for number in together:
                here = label == number
                yield Values(label[here], prediction[here], target[here])

    def _only(self, labels: Sequence[int]) -> Iterator[Values]:
        wanted = np.zeros(len(self.names), np.bool_)
        wanted[list(labels)] = True
        for values in self.pieces():
            here = wanted[values.label]
            yield Values(*(column[here] for column in values))


def _groups(labels: Sequence[int], counts: NDArray[np.int64]) -> list[list[int]]:
    """Return labels that are held together, as many as fit."""
    groups: list[list[int]] = []
    left = 0
    for label in labels:
        if not groups or counts[label] > left:
            groups.append([])
            left = VALUES_HELD
        groups[-1].append(label)
        left -= counts[label]
    return groups
