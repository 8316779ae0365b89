"""What normalisation, losses and baselines know of a task's training labels, gathered piece by piece."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from molfound.config.schema import Kind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def class_count(kind: Kind, classes: int | None) -> int | None:
    """Return how many classes the labels of a task have; None for a regression."""
    return 2 if kind == "binary" else classes


@dataclass(frozen=True)
class LabelSummary:
    """Moments, range and classes of each of L labels, in float64.

    Attributes:
        count: int64 ``[L]``, values of each label.
        mean: ``[L]``, 0 for a label without values.
        squares: ``[L]``, the sum of the squared differences from the mean.
        lowest: ``[L]``, infinite for a label without values.
        highest: ``[L]``, minus infinite for a label without values.
        classes: int64 ``[L, classes]``, how many values of each class; None: the values are no classes.

    Example:
        >>> summary = LabelSummary.of(np.array([0, 0, 1]), np.array([1.0, 3.0, 5.0]), labels=2)
        >>> summary.mean, summary.varies
        (array([2., 5.]), array([ True, False]))
        >>> summary.merged(LabelSummary.of(np.array([1, 0]), np.array([7.0, 2.0]), labels=2)).mean
        array([2., 6.])
    """

    count: Ints
    mean: Floats
    squares: Floats
    lowest: Floats
    highest: Floats
    classes: Ints | None = None

    @classmethod
    def of(
        cls, label: NDArray[np.integer], values: NDArray[np.floating], labels: int, classes: int | None = None
    ) -> Self:
        """Return the summary of sparse (label, value) pairs.

        Args:
            label: ``[V]``, the label of each value, in 0 … L - 1 (at node level: `index % L`).
            values: ``[V]``, finite.
            labels: L.
            classes: number of classes where the values are class numbers; None: they are none.
        """
        values = values.astype(np.float64)
        count = np.bincount(label, minlength=labels)
        mean = np.bincount(label, weights=values, minlength=labels) / np.maximum(count, 1)
        squares = np.bincount(label, weights=(values - mean[label]) ** 2, minlength=labels).astype(np.float64)
        lowest, highest = np.full(labels, np.inf), np.full(labels, -np.inf)
        np.minimum.at(lowest, label, values)
        np.maximum.at(highest, label, values)
        by_class = None
        if classes is not None:
            cells = label.astype(np.int64) * classes + values.astype(np.int64)
            by_class = np.bincount(cells, minlength=labels * classes).reshape(labels, classes)
        return cls(count, mean, squares, lowest, highest, by_class)

    def merged(self, other: Self) -> Self:
        """Return the summary of the values of both (Chan et al., The American Statistician 37, 242, 1983)."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        difference = other.mean - self.mean
        return type(self)(
            count,
            self.mean + difference * share,
            self.squares + other.squares + difference**2 * self.count * share,
            np.minimum(self.lowest, other.lowest),
            np.maximum(self.highest, other.highest),
            None if self.classes is None or other.classes is None else self.classes + other.classes,
        )

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Which labels have two different values, ``[L]``."""
        different: NDArray[np.bool_] = self.lowest < self.highest
        return different

    @property
    def deviation(self) -> Floats:
        """The population standard deviation of each label, ``[L]``; 0 for a label without values."""
        return np.sqrt(self.squares / np.maximum(self.count, 1))
