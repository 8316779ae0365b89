"""Predictions held packed, only where a label is, in one canonical order, and the sums that metrics are made of."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class TieGroups(NamedTuple):
    """Values of one label with the same prediction, a positive among them; by label, then by ascending prediction.

    Attributes:
        label: int64 [T], the label of each group.
        size: int64 [T], how many values it has.
        positive: int64 [T], how many of its targets are 1.
        below: int64 [T], how many values of the label have a smaller prediction.
        positive_below: int64 [T], how many positives among these.
    """

    label: Ints
    size: Ints
    positive: Ints
    below: Ints
    positive_below: Ints


@dataclass(frozen=True)
class PackedPredictions:
    """Predictions and targets wherever one of L labels is present: V values, sorted by label, prediction and target.

    `PackedPredictions.of` makes one from values in any order. Because the order is canonical, what is computed from it
    is the same to the last bit however the values came: in other batches, from other processes, out of a file.

    Attributes:
        label: int32 [V], ascending, the label of each value, in 0 … L - 1.
        prediction: float32 [V], normalised units or logits; [V, classes] for a multiclass task.
        target: float32 [V], normalised units, 0 or 1, or a class number; never NaN.
        labels: L.
        deviation: float64 [L], the original unit of each label per normalised unit; None: they are the same.
        log_variance: float32 [V], of the predictions, in normalised units; None where none is predicted.
    """

    label: NDArray[np.int32]
    prediction: NDArray[np.float32]
    target: NDArray[np.float32]
    labels: int
    deviation: Floats | None = None
    log_variance: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        label: NDArray[np.int32],
        prediction: NDArray[np.float32],
        target: NDArray[np.float32],
        labels: int,
        deviation: Floats | None = None,
    ) -> Self:
        """Return values given in any order; -0.0 becomes 0.0.

        Example:
            >>> packed = PackedPredictions.of(
            ...     np.array([1, 0, 1], np.int32), np.array([3, 1, 2], np.float32), np.zeros(3, np.float32), labels=2
            ... )
            >>> packed.label.tolist(), packed.prediction.tolist(), packed.used.tolist()
            ([0, 1, 1], [1.0, 2.0, 3.0], [1, 2])
        """
        if (label[1:] < label[:-1]).any():
            order = label_order(label)
            label, prediction, target = label[order], prediction[order], target[order]
        if prediction.ndim == 1:
            prediction, target = _sorted_pairs(label, prediction, target)
        else:
            order = _row_order(label, prediction, target)
            prediction, target = prediction[order], target[order]
        return cls(label, prediction, target, labels, deviation)

    def with_variance(self) -> Self:
        """Return the same, its predictions [V, 2] having been means and log variances."""
        mean, log_variance = np.ascontiguousarray(self.prediction.T)
        return replace(self, prediction=mean, log_variance=log_variance)

    @property
    def outputs(self) -> NDArray[np.float32]:
        """What the head gave: the predictions, or [V, 2] with their log variances."""
        if self.log_variance is None:
            return self.prediction
        return np.stack([self.prediction, self.log_variance], axis=1)

    @cached_property
    def used(self) -> Ints:
        """How many values each label has, int64 [L]."""
        return np.diff(self._ptr)

    @cached_property
    def computable(self) -> NDArray[np.bool_]:
        """Which labels have at least one value and no prediction that is NaN, [L]."""
        nan = np.isnan(self.prediction)
        broken = nan if nan.ndim == 1 else np.logical_or.reduce(nan, axis=1)
        computable: NDArray[np.bool_] = (self.used > 0) & (np.bincount(self.label[broken], minlength=self.labels) == 0)
        return computable

    def by_label(self, values: Floats) -> list[Floats]:
        """Return one value per prediction, float64 [V], label by label."""
        return np.split(values, self._ptr[1:-1])

    def total(self, values: NDArray[np.generic]) -> Floats:
        """Return the sum over each label of one value per prediction, float64 [L]."""
        return self._reduced(np.add, values.astype(np.float64))

    def mean(self, values: NDArray[np.generic]) -> Floats:
        """Return the mean over each label of one value per prediction, float64 [L], NaN for a label without any."""
        return divide(self.total(values), self.used)

    def centred(self, values: NDArray[np.generic]) -> Floats:
        """Return each value less the mean of its label, float64 [V]."""
        return values.astype(np.float64) - np.repeat(self.mean(values), self.used)

    def varies(self, values: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which labels have two different values, [L]: exact, unlike a comparison of a variance with 0."""
        varies: NDArray[np.bool_] = self._reduced(np.maximum, values) != self._reduced(np.minimum, values)
        return varies

    @cached_property
    def tie_groups(self) -> TieGroups:
        """Groups of equal predictions, from which every ranking metric of a binary task follows."""
        bounds = np.append(self._starts(self.prediction), len(self.label))
        positives = np.flatnonzero(self.target > 0.5)  # few, so that all that follows is small
        group = np.searchsorted(bounds, positives, side="right") - 1
        first = np.flatnonzero(np.diff(group, prepend=-1))  # the first positive of each group
        group = group[first]
        start, label = bounds[group], self.label[positives[first]].astype(np.int64)
        before = first - np.searchsorted(positives, self._ptr)[label]
        return TieGroups(
            label, bounds[group + 1] - start, np.diff(first, append=len(positives)), start - self._ptr[label], before
        )

    def ranks(self, values: NDArray[np.float32]) -> Floats:
        """Return the rank of each value within its label, from 1; equal ones share their middle rank. Float64 [V]."""
        order = np.empty(len(values), np.int64)
        for first, last in pairwise(self._ptr.tolist()):
            order[first:last] = values[first:last].argsort() + first
        start = self._starts(values[order])
        size = np.diff(start, append=len(values))
        middle = start - self._ptr[self.label[start]] + (size + 1) / 2
        ranks = np.empty(len(values), np.float64)
        ranks[order] = np.repeat(middle, size)
        return ranks

    @cached_property
    def _ptr(self) -> Ints:
        """Where each label's values begin, and the end of the last, int64 [L + 1]."""
        return np.searchsorted(self.label, np.arange(self.labels + 1, dtype=np.int32)).astype(np.int64)

    def _reduced(self, operation: np.ufunc, values: NDArray[np.floating]) -> Floats:
        """Return the values of each label reduced, 0 for a label without any."""
        reduced = np.zeros(self.labels)
        there = self.used > 0
        if len(values):
            reduced[there] = operation.reduceat(values, self._ptr[:-1][there])
        return reduced

    def _starts(self, values: NDArray[np.floating]) -> Ints:
        """Return where runs of equal values of one label begin, the values ascending within each label."""
        changes = np.ones(len(values), bool)
        np.not_equal(values[1:], values[:-1], out=changes[1:])
        changes[self._ptr[:-1][self.used > 0]] = True
        return np.flatnonzero(changes)


def label_order(label: NDArray[np.int32]) -> Ints:
    """Return the places of the values, those of label 0 first: as a stable argsort, up to 2^32 values.

    Label and place in one integer, because numpy sorts integers many times faster than it argsorts them.
    """
    keys = (label.astype(np.uint64) << np.uint64(32)) | np.arange(len(label), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def ordered_bits(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return integers that sort as the values do; NaN lies at an end.

    The bits of a float, read as an integer, grow with a positive float and fall with a negative one.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # -0 + 0 = 0: the two zeros are equal, their bits are not
    # All ones for a negative value, the sign bit for a positive one.
    flips: NDArray[np.uint32] = (bits.view(np.int32) >> 31).view(np.uint32) | np.uint32(1 << 31)
    return bits ^ flips


def values_of_bits(bits: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Return the values of which `ordered_bits` made these integers."""
    flips: NDArray[np.uint32] = (~bits.view(np.int32) >> 31).view(np.uint32) | np.uint32(1 << 31)
    return (bits ^ flips).view(np.float32)


def divide(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> Floats:
    """Return the quotient in float64, NaN wherever the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def _sorted_pairs(
    label: NDArray[np.int32], prediction: NDArray[np.float32], target: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return predictions and targets sorted within each label, the labels ascending: one integer sort per label."""
    keys = (ordered_bits(prediction).astype(np.uint64) << np.uint64(32)) | ordered_bits(target)
    starts = np.flatnonzero(np.diff(label, prepend=-1, append=-1))
    for first, last in pairwise(starts.tolist()):
        keys[first:last].sort()
    narrow = (keys >> np.uint64(32)).astype(np.uint32), keys.astype(np.uint32)
    return values_of_bits(narrow[0]), values_of_bits(narrow[1])


def _row_order(label: NDArray[np.int32], prediction: NDArray[np.float32], target: NDArray[np.float32]) -> Ints:
    """Return the order by label, first class, second class and so on, then target; [V, classes] predictions."""
    key = (label.astype(np.uint64) << np.uint64(32)) | ordered_bits(prediction[:, 0])
    order = np.argsort(key)
    key = key[order]
    same = key[1:] == key[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if len(tied):  # Few rows agree in label and first class: only they are sorted by the rest.
        rows = order[tied]
        columns = [target, *prediction.T[:0:-1]]
        order[tied] = rows[np.lexsort((*(ordered_bits(column[rows]) for column in columns), key[tied]))]
    return order
