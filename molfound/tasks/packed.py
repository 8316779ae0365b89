"""Predictions held packed, only where a label is, and the sums over each label that metrics are made of."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class TieGroups(NamedTuple):
    """Values of one label with the same prediction, ordered by label, then by ascending prediction.

    Attributes:
        label: int64 [T], the label of each group.
        positive: int64 [T], how many of its targets are 1.
        size: int64 [T], how many values it has.
    """

    label: Ints
    positive: Ints
    size: Ints


@dataclass(frozen=True)
class PackedPredictions:
    """Predictions and targets of one task wherever a label is present: V values of L labels, in any order.

    Attributes:
        label: int32 [V], the label of each value, in 0 … L - 1.
        prediction: float32 [V], normalised units or logits; [V, classes] for a multiclass task.
        target: float32 [V], normalised units, 0 or 1, or a class number; never NaN.
        labels: L.
        deviation: float64 [L], the original unit of each label per normalised unit; None: they are the same.
    """

    label: NDArray[np.int32]
    prediction: NDArray[np.float32]
    target: NDArray[np.float32]
    labels: int
    deviation: Floats | None = None

    @cached_property
    def used(self) -> Ints:
        """How many values each label has, int64 [L]."""
        return np.bincount(self.label, minlength=self.labels)

    @cached_property
    def computable(self) -> NDArray[np.bool_]:
        """Which labels have at least one value and no prediction that is NaN, [L]."""
        nan = np.isnan(self.prediction)
        broken = nan if nan.ndim == 1 else np.logical_or.reduce(nan, axis=1)
        computable: NDArray[np.bool_] = (self.used > 0) & (self._count(broken) == 0)
        return computable

    def total(self, values: NDArray[np.generic]) -> Floats:
        """Return the sum over each label of one value per prediction, float64 [L]."""
        return np.bincount(self.label, values.astype(np.float64), self.labels).astype(np.float64)

    def mean(self, values: NDArray[np.generic]) -> Floats:
        """Return the mean over each label of one value per prediction, float64 [L], NaN for a label without any."""
        return divide(self.total(values), self.used)

    def centred(self, values: NDArray[np.generic]) -> Floats:
        """Return each value less the mean of its label, float64 [V]."""
        return values.astype(np.float64) - self.mean(values)[self.label]

    def varies(self, values: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Return which labels have two different values, [L]: exact, unlike a comparison of a variance with 0."""
        one_of_them = np.zeros(self.labels, values.dtype)
        one_of_them[self.label] = values
        return self._count(values != one_of_them[self.label]) > 0

    def _count(self, chosen: NDArray[np.bool_]) -> Ints:
        return np.bincount(self.label[chosen], minlength=self.labels)

    @cached_property
    def tie_groups(self) -> TieGroups:
        """Groups of equal predictions: one sort, from which every ranking metric of a binary task follows."""
        key = sort_key(self.label, self.prediction)
        order = np.argsort(key)
        key = key[order]
        start = np.flatnonzero(np.diff(key, prepend=~key[:1]))
        positive = np.add.reduceat((self.target > 0.5)[order], start, dtype=np.int64) if len(key) else start
        return TieGroups(self.label[order[start]].astype(np.int64), positive, np.diff(start, append=len(key)))

    def ranks(self, values: NDArray[np.float32]) -> Floats:
        """Return the rank of each value within its label, from 1; equal ones share their middle rank. Float64 [V]."""
        key = sort_key(self.label, values)
        order = np.argsort(key)
        sorted_key = key[order]
        start = np.flatnonzero(np.diff(sorted_key, prepend=~sorted_key[:1]))
        size = np.diff(start, append=len(key))
        before_label = (np.cumsum(self.used) - self.used)[self.label[order[start]]]
        middle = start - before_label + (size + 1) / 2
        ranks = np.empty(len(key), np.float64)
        ranks[order] = np.repeat(middle, size)
        return ranks


def sort_key(label: NDArray[np.int32], values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return integers that sort by label, then by float32 value: one integer sort is faster than sorting by two keys.

    The bits of a float, read as an integer, grow with a positive float and fall with a negative one.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # -0 + 0 = 0: the two zeros are equal, their bits are not
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return (label.astype(np.uint64) << np.uint64(32)) | ordered


def divide(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> Floats:
    """Return the quotient in float64, NaN wherever the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
