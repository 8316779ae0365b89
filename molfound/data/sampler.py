"""The order of a mixture's samples: a pure function of seed, epoch and position."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from molfound.config.schema import BatchConfig
from molfound.data.windows import Positions, Window
from molfound.errors import MolfoundError


def random_words(seed: int, *counters: int | str, size: int) -> NDArray[np.uint64]:
    """Return random 64-bit words that depend on nothing but the arguments.

    They come from the counter-based Philox generator (Salmon et al., 2011), keyed by the seed and the counters; unlike
    the shuffles and choices of a library, they never change between versions.

    >>> bool((random_words(7, "epoch", 0, size=5)[:3] == random_words(7, "epoch", 0, size=3)).all())
    True
    """
    words = [crc32(c.encode()) if isinstance(c, str) else c for c in counters]
    generator = np.random.Philox(np.random.SeedSequence([seed, *words]))
    return generator.random_raw(size)


def permutation(seed: int, *counters: int | str, size: int) -> Positions:
    """Return a permutation of ``range(size)`` that depends on nothing but its arguments.

    It is the order of `random_words`.

    >>> permutation(7, "epoch", 0, size=5).tolist() == permutation(7, "epoch", 0, size=5).tolist()
    True
    """
    return np.argsort(random_words(seed, *counters, size=size), kind="stable")


class SamplePool(Protocol):
    """What samples of one dataset are drawn from."""

    @property
    def positions(self) -> Positions:
        """Where its molecules lie in the collection."""
        ...

    def windows(self, seed: int, name: str, epoch: int, windows: int) -> Iterator[tuple[tuple[int, ...], Positions]]:
        """Yield what each window of an epoch takes: the blocks to be read, and the positions of the samples.

        It is a pure function of the arguments.
        """
        ...


@dataclass(frozen=True)
class Pool:
    """The training molecules of one dataset, all met equally often.

    The dataset is an endless sequence of permutations of its molecules, of which epoch e takes the e-th stretch: with a
    share below 1 every epoch has a fresh subset.

    Attributes:
        positions: int64, where they lie in the collection.
        share: how much of the pool one epoch takes; above 1, molecules come more than once.
    """

    positions: Positions
    share: float = 1.0

    @property
    def per_epoch(self) -> int:
        """How many samples one epoch takes."""
        return max(1, round(self.share * len(self.positions)))

    def samples(self, seed: int, name: str, epoch: int) -> Positions:
        """Return the positions of the samples that an epoch takes."""
        size, wanted = len(self.positions), self.per_epoch
        first, last = epoch * wanted, (epoch + 1) * wanted
        rounds = range(first // size, (last - 1) // size + 1)
        drawn = np.concatenate([permutation(seed, name, number, size=size) for number in rounds])
        start = first - rounds.start * size
        taken: Positions = self.positions[drawn[start : start + wanted]]
        return taken

    def windows(self, seed: int, name: str, epoch: int, windows: int) -> Iterator[tuple[tuple[int, ...], Positions]]:
        """Yield what each window of an epoch takes: an equal share of the samples, in their random order."""
        return dealt(self.samples(seed, name, epoch), windows)


@dataclass(frozen=True)
class BlockPool:
    """The training molecules of a dataset that is read block by block.

    As a `Pool` draws molecules, it draws blocks; a window takes all training molecules of each of its blocks. Of as
    many consecutive drawn blocks as there are windows each window has one, at random: where a table is sorted by its
    source or by size, every window has its share of all of it.

    Attributes:
        positions: int64, where they lie in the collection, ascending.
        block_ptr: int64 ``[B + 1]``, the position that each block begins at, and the last one's end.
        share: how many of the blocks one epoch takes, of one.
    """

    positions: Positions
    block_ptr: Positions
    share: float = 1.0

    def windows(self, seed: int, name: str, epoch: int, windows: int) -> Iterator[tuple[tuple[int, ...], Positions]]:
        """Yield what each window of an epoch takes: its blocks, and all training molecules in them."""
        starts = np.searchsorted(self.positions, self.block_ptr)
        # Blocks of other parts of the split alone would be read for nothing, and count in a share.
        useful = np.flatnonzero(np.diff(starts))
        drawn = np.sort(Pool(useful, self.share).samples(seed, f"{name}/blocks", epoch))
        turns = range(-(-len(drawn) // windows))
        places = [permutation(seed, f"{name}/windows", epoch, turn, size=windows) for turn in turns]
        window = np.concatenate(places)[: len(drawn)]
        for number in range(windows):
            blocks = drawn[window == number]
            taken = [self.positions[starts[block] : starts[block + 1]] for block in blocks]
            yield tuple(np.unique(blocks).tolist()), np.concatenate([np.empty(0, np.int64), *taken])


def dealt(samples: Positions, windows: int) -> Iterator[tuple[tuple[int, ...], Positions]]:
    """Yield equal shares of samples in random order that are in memory, one for each window; no block is to be read."""
    for share in np.array_split(samples, windows):
        yield (), share


@dataclass(frozen=True)
class BatchLimits:
    """When a batch is full: at whichever limit comes first.

    Attributes:
        graphs: the number of molecules.
        nodes: the number of atoms, or None.
        edges: the number of directed edges, or None.
        pairs: the number of pairs of atoms, the sum of n² over the molecules, or None.
        bucket: over how many batches the samples are sorted by size, see `bucketed`, or None.
    """

    graphs: int
    nodes: int | None = None
    edges: int | None = None
    pairs: int | None = None
    bucket: int | None = None

    @classmethod
    def of(cls, config: BatchConfig) -> Self:
        """Return the limits that a configuration sets."""
        return cls(config.size, config.nodes, config.edges, config.pairs, config.bucket)

    def budgets(
        self, chosen: Positions, node_counts: Positions, edge_counts: Positions
    ) -> dict[str, tuple[int, Positions]]:
        """Return by name each bound on a sum that is set, and what each chosen molecule adds to the sum.

        Nothing is gathered for bounds that are not set: of a hundred million molecules that is gigabytes.
        """
        found = {}
        if self.nodes is not None:
            found["nodes"] = (self.nodes, node_counts[chosen])
        if self.edges is not None:
            found["edges"] = (self.edges, edge_counts[chosen])
        if self.pairs is not None:
            found["pairs"] = (self.pairs, node_counts[chosen].astype(np.int64) ** 2)
        return found


class MixtureSampler:
    """Orders the samples of a mixture and cuts them into global batches, the same on any number of processes.

    What an epoch takes from each dataset's pool is shuffled together and cut where a batch is full.

    Args:
        pools: the training molecules of each dataset.
        limits: when a batch is full.
        node_counts: atoms of every molecule of the collection, int64.
        edge_counts: directed edges of every molecule of the collection, int64.
        seed: of the whole order.
        windows: into how many windows an epoch is divided; the samples of each are shuffled.

    Raises:
        MolfoundError: an empty pool, or a molecule larger than a batch may be.
    """

    def __init__(
        self,
        pools: Mapping[str, SamplePool],
        limits: BatchLimits,
        node_counts: Positions,
        edge_counts: Positions,
        seed: int,
        windows: int = 1,
    ) -> None:
        for name, pool in pools.items():
            if len(pool.positions) == 0:
                raise MolfoundError(f"dataset '{name}' has no molecule in its training part")
            budgets = limits.budgets(pool.positions, node_counts, edge_counts)
            for what, (limit, counts) in budgets.items():
                largest = int(counts.max())
                if largest > limit:
                    raise MolfoundError(
                        f"dataset '{name}' has a molecule of {largest} {what}, "
                        f"more than data.batch.{what}={limit} allows"
                    )
        self.pools: dict[str, SamplePool] = dict(pools)
        self.limits, self.seed, self.window_count = limits, seed, windows
        self._node_counts, self._edge_counts = node_counts, edge_counts

    def windows(self, epoch: int) -> Iterator[Window]:
        """Yield the windows of an epoch with their global batches."""
        parts = [pool.windows(self.seed, name, epoch, self.window_count) for name, pool in self.pools.items()]
        for number, taken in enumerate(zip(*parts, strict=True)):
            # One window is named as if there were no windows, so that its order is that of an epoch.
            counters = (epoch,) if self.window_count == 1 else (epoch, number)
            samples = np.concatenate([positions for _, positions in taken])
            if len(samples) == 0:
                continue
            order = samples[permutation(self.seed, "mixture", *counters, size=len(samples))]
            blocks = {name: chosen for name, (chosen, _) in zip(self.pools, taken, strict=True) if chosen}
            yield Window(self._batches(order, counters), blocks)

    def batches(self, epoch: int) -> Iterator[Positions]:
        """Yield the global batches of an epoch: each an array of positions."""
        return chain.from_iterable(window.batches for window in self.windows(epoch))

    def count(self, epoch: int) -> int:
        """Return the number of global batches of an epoch."""
        return sum(len(window.batches) for window in self.windows(epoch))

    def _batches(self, order: Positions, counters: tuple[int, ...]) -> list[Positions]:
        batches = cut(order, self.limits, self._node_counts, self._edge_counts)
        if self.limits.bucket is None:
            return batches
        batches = bucketed(batches, self.limits.bucket, self.limits, self._node_counts, self._edge_counts)
        return [batches[i] for i in permutation(self.seed, "batches", *counters, size=len(batches)).tolist()]


def cut(order: Positions, limits: BatchLimits, node_counts: Positions, edge_counts: Positions) -> list[Positions]:
    """Cut an order of positions into consecutive batches, each as long as the limits allow and at least one long."""
    budgets = [
        (limit, np.concatenate(([0], np.cumsum(counts, dtype=np.int64))))
        for limit, counts in limits.budgets(order, node_counts, edge_counts).values()
    ]
    if not budgets:
        return [order[i : i + limits.graphs] for i in range(0, len(order), limits.graphs)]
    batches, start = [], 0
    while start < len(order):
        stop = min(start + limits.graphs, len(order))
        for limit, before in budgets:
            stop = min(stop, int(np.searchsorted(before, before[start] + limit, side="right")) - 1)
        stop = max(stop, start + 1)
        batches.append(order[start:stop])
        start = stop
    return batches


def bucketed(
    batches: Sequence[Positions], window: int, limits: BatchLimits, node_counts: Positions, edge_counts: Positions
) -> list[Positions]:
    """Cut the samples of batches into batches of like size: those of each `window` batches are sorted by atoms first.

    No sample leaves its window, and molecules of one size keep their order. The last batch of a window, that of its
    largest molecules, may be short.
    """
    found = []
    for first in range(0, len(batches), window):
        samples = np.concatenate(batches[first : first + window])
        by_size = samples[np.argsort(node_counts[samples], kind="stable")]
        found += cut(by_size, limits, node_counts, edge_counts)
    return found
