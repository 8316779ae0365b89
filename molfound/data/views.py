"""What a batch shows of each molecule: which coordinates, and which part of one that is too large."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from molfound.data.keyed_random import Words, mixed, uniform

Ints = NDArray[np.int64]


class View(Protocol):
    """What is shown of each molecule, a pure function of its row. Rows are int64 ``[G]``, of the dataset's table."""

    def conformers(self, rows: Ints, counts: Ints) -> Ints:
        """Return the number of a conformer of each molecule, of which it has `counts`; 0 for one that has none."""
        ...

    def drawn(self, rows: Ints) -> NDArray[np.bool_]:
        """Return of which molecules the drawing stands in place of a conformer, ``[G]``."""
        ...

    def centres(self, rows: Ints, nodes: Ints) -> Ints | None:
        """Return the node around which each molecule is cut if it has to be; None: the one in its middle."""
        ...


@dataclass(frozen=True)
class StillView:
    """What evaluation sees: always the same conformer, and the middle of a molecule that is cut.

    Attributes:
        conformer: its number, 0 having the lowest energy; the last of a molecule that has fewer.
    """

    conformer: int = 0

    def conformers(self, rows: Ints, counts: Ints) -> Ints:
        """Return the number of a conformer of each molecule, ``[G]``."""
        numbers: Ints = np.minimum(self.conformer, np.maximum(counts, 1) - 1)
        return numbers

    def drawn(self, rows: Ints) -> NDArray[np.bool_]:
        """Return that no molecule is shown as drawn, ``[G]``."""
        return np.zeros(len(rows), np.bool_)

    def centres(self, rows: Ints, nodes: Ints) -> None:
        """Return None: a molecule is cut around its middle."""


STILL = StillView()


@dataclass(frozen=True)
class EpochView:
    """What an epoch of a training sees: drawn at random, a pure function of seed, epoch and row.

    Attributes:
        seed: of the training.
        epoch: its number.
        share_drawn: share of the molecules whose drawing stands in place of a conformer.

    Example:
        >>> EpochView(0, epoch=3).conformers(np.array([7, 8, 9]), np.array([1, 5, 0]))
        array([0, 1, 0])
    """

    seed: int
    epoch: int
    share_drawn: float = 0.0

    def conformers(self, rows: Ints, counts: Ints) -> Ints:
        """Return the number of a conformer of each molecule, ``[G]``."""
        return _below(self._words(rows, 0), counts)

    def drawn(self, rows: Ints) -> NDArray[np.bool_]:
        """Return of which molecules the drawing stands in place of a conformer, ``[G]``."""
        chosen: NDArray[np.bool_] = uniform(self._words(rows, 1)) < self.share_drawn
        return chosen

    def centres(self, rows: Ints, nodes: Ints) -> Ints:
        """Return the node around which each molecule is cut if it has to be, ``[G]``."""
        return _below(self._words(rows, 2), nodes)

    def _words(self, rows: Ints, purpose: int) -> Words:
        key = mixed(mixed(np.array([self.seed], np.uint64)) + np.uint64(self.epoch))
        for _ in range(purpose):
            key = mixed(key)
        return mixed(rows.astype(np.uint64) + key)


def _below(words: Words, limits: Ints) -> Ints:
    # The remainder favours no number by more than one part in 2**50: the limits are small.
    return (words % np.maximum(limits, 1).astype(np.uint64)).astype(np.int64)
