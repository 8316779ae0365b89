"""Sampling by scaffold: a scaffold with probability softmax(P / τ), then a molecule of that scaffold."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from molfound.config.schema import ScaffoldsConfig
from molfound.data.sampler import dealt, random_words
from molfound.data.windows import Positions


def scaffold_probabilities(
    counts: NDArray[np.int64], temperature: float, cap: int | None = None
) -> NDArray[np.float64]:
    """Return how probable each scaffold is: softmax(P / τ), P the scaffold's share of all molecules.

    As Uni-Mol2 samples (arXiv 2406.14969), which says nothing of a cap. A cap bounds the counts that P is made of and
    not the samples of an epoch: so probabilities stay what the formula says, whatever the length of an epoch, and no
    cap is too small to fill one.

    Args:
        counts: int64 ``[K]``, molecules per scaffold, at least 1.
        temperature: τ > 0; infinite: all scaffolds alike.
        cap: what a scaffold's count is at most taken for, in P's numerator and in its sum; None: all count.

    Example:
        >>> scaffold_probabilities(np.array([1, 3]), temperature=0.5).round(3).tolist()
        [0.269, 0.731]
        >>> scaffold_probabilities(np.array([1, 3]), temperature=float("inf")).tolist()
        [0.5, 0.5]
    """
    counted = counts if cap is None else np.minimum(counts, cap)
    shares = counted / counted.sum()
    # The largest goes before the division: no temperature, however small, yields infinity less infinity.
    weights = np.exp((shares - shares.max()) / temperature)
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


class ScaffoldPool:
    """The training molecules of one dataset, drawn scaffold by scaffold.

    Molecules without a ring share the empty scaffold and are one group like any other. Every sample is drawn
    independently of the others, so that an epoch may miss molecules; within a scaffold all are equally probable.

    Args:
        positions: int64 ``[n]``, where the molecules lie in the collection.
        scaffolds: int64 ``[n]``, the number of each one's scaffold.
        rule: temperature, cap, replacement.
        share: samples of an epoch per molecule.

    Attributes:
        counts: int64 ``[K]``, molecules per scaffold, in ascending order of the scaffolds' numbers.
        group: int64 ``[n]``, which of these K each molecule is of.
        probabilities: float64 ``[K]``, of each scaffold.
    """

    def __init__(
        self, positions: Positions, scaffolds: NDArray[np.int64], rule: ScaffoldsConfig, share: float = 1.0
    ) -> None:
        self.positions, self.rule = positions, rule
        self.per_epoch = max(1, round(share * len(positions)))
        _, self.group, self.counts = np.unique(scaffolds, return_inverse=True, return_counts=True)
        self.probabilities = scaffold_probabilities(self.counts, rule.temperature, rule.cap)
        self._bounds = np.cumsum(self.probabilities)
        self._bounds /= self._bounds[-1]
        self._first = np.cumsum(self.counts) - self.counts
        self._members = np.argsort(self.group, kind="stable")
        self._rounds: _Rounds | None = None

    def __repr__(self) -> str:
        return f"ScaffoldPool({len(self.positions):,} molecules, {len(self.counts):,} scaffolds, {self.rule})"

    def samples(self, seed: int, name: str, epoch: int) -> Positions:
        """Return the positions of the samples that an epoch takes: a pure function of the arguments."""
        return self.positions[self.draws(seed, name, epoch)]

    def windows(self, seed: int, name: str, epoch: int, windows: int) -> Iterator[tuple[tuple[int, ...], Positions]]:
        """Yield what each window of an epoch takes: an equal share of the samples, which are independent draws."""
        return dealt(self.samples(seed, name, epoch), windows)

    def draws(self, seed: int, name: str, epoch: int) -> NDArray[np.int64]:
        """Return int64 ``[per_epoch]``, which of the molecules an epoch takes, from 0.

        Without replacement a scaffold goes round its molecules in one random order, on from where the epochs before
        left off. They are counted for that: the first call takes as long as all the epochs up to its own, later ones
        go on from there.
        """
        drawn = self._scaffolds(seed, name, epoch)
        members = self._members
        if self.rule.replacement:
            # A number below 1 times a count, rounded down, is below the count: the product cannot round up to it.
            place = (_uniform(seed, name, "molecule", epoch, size=len(drawn)) * self.counts[drawn]).astype(np.int64)
        else:
            rounds = self._rounds_before(seed, name, epoch)
            members = rounds.members
            place = (rounds.drawn[drawn] + _turns(drawn)) % self.counts[drawn]
        taken: NDArray[np.int64] = members[self._first[drawn] + place]
        return taken

    def _scaffolds(self, seed: int, name: str, epoch: int) -> NDArray[np.int64]:
        """Return the scaffold of each sample of an epoch."""
        points = _uniform(seed, name, "scaffold", epoch, size=self.per_epoch)
        return np.searchsorted(self._bounds, points, side="right")

    def _rounds_before(self, seed: int, name: str, epoch: int) -> "_Rounds":
        """Return where each scaffold stands before an epoch: counted on from the latest call, if that helps."""
        rounds = self._rounds
        if rounds is None or (rounds.seed, rounds.name) != (seed, name) or rounds.epoch > epoch:
            words = random_words(seed, name, "member", size=len(self.group))
            members = np.lexsort((words, self.group))
            rounds = _Rounds(seed, name, 0, members, np.zeros_like(self.counts))
        drawn = rounds.drawn.copy()
        for earlier in range(rounds.epoch, epoch):
            drawn += np.bincount(self._scaffolds(seed, name, earlier), minlength=len(drawn))
        self._rounds = replace(rounds, epoch=epoch, drawn=drawn)
        return self._rounds


@dataclass(frozen=True)
class _Rounds:
    """How far the scaffolds have gone round their molecules before an epoch.

    Attributes:
        seed, name, epoch: what it depends on.
        members: int64 ``[n]``, the molecules, scaffold by scaffold, each scaffold's in random order.
        drawn: int64 ``[K]``, how often each scaffold was drawn before.
    """

    seed: int
    name: str
    epoch: int
    members: NDArray[np.int64]
    drawn: NDArray[np.int64]


def _uniform(seed: int, *counters: int | str, size: int) -> NDArray[np.float64]:
    """Return numbers in [0, 1), of 53 random bits each."""
    return (random_words(seed, *counters, size=size) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _turns(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often each value stands before its place.

    >>> _turns(np.array([4, 2, 4, 4, 2])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(drawn, kind="stable")
    ordered = drawn[order]
    turns = np.empty_like(drawn)
    turns[order] = np.arange(len(drawn)) - np.searchsorted(ordered, ordered, side="left")
    return turns
