"""The order of a mixture's samples: a pure function of seed, epoch and position."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from molfound.config.schema import BatchConfig
from molfound.errors import MolfoundError

Positions = NDArray[np.int64]


def permutation(seed: int, *counters: int | str, size: int) -> Positions:
    """Return a permutation of ``range(size)`` that depends on nothing but its arguments.

    It is the order of random 64-bit words of the counter-based Philox generator (Salmon et al., 2011), keyed by the
    seed and the counters; the words, unlike the shuffles of a library, never change between versions.

    >>> permutation(7, "epoch", 0, size=5).tolist() == permutation(7, "epoch", 0, size=5).tolist()
    True
    """
    words = [crc32(c.encode()) if isinstance(c, str) else c for c in counters]
    generator = np.random.Philox(np.random.SeedSequence([seed, *words]))
    return np.argsort(generator.random_raw(size), kind="stable")


@dataclass(frozen=True)
class Pool:
    """The training molecules of one dataset.

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


@dataclass(frozen=True)
class BatchLimits:
    """When a batch is full: at whichever limit comes first.

    Attributes:
        graphs: the number of molecules.
        nodes: the number of atoms, or None.
        edges: the number of directed edges, or None.
    """

    graphs: int
    nodes: int | None = None
    edges: int | None = None

    @classmethod
    def of(cls, config: BatchConfig) -> Self:
        """Return the limits that a configuration sets."""
        return cls(config.size, config.nodes, config.edges)


class MixtureSampler:
    """Orders the samples of a mixture and cuts them into global batches, the same on any number of processes.

    Each dataset is an endless sequence of permutations of its pool, of which epoch e takes the e-th stretch: with a
    share below 1 every epoch has a fresh subset and all molecules are met equally often. The stretches of an epoch are
    then shuffled together.

    Args:
        pools: the training molecules of each dataset.
        limits: when a batch is full.
        node_counts: atoms of every molecule of the collection, int64.
        edge_counts: directed edges of every molecule of the collection, int64.
        seed: of the whole order.

    Raises:
        MolfoundError: an empty pool, or a molecule larger than a batch may be.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        limits: BatchLimits,
        node_counts: Positions,
        edge_counts: Positions,
        seed: int,
    ) -> None:
        for name, pool in pools.items():
            if len(pool.positions) == 0:
                raise MolfoundError(f"dataset '{name}' has no molecule in its training part")
            for what, limit, counts in (("nodes", limits.nodes, node_counts), ("edges", limits.edges, edge_counts)):
                largest = int(counts[pool.positions].max())
                if limit is not None and largest > limit:
                    raise MolfoundError(
                        f"dataset '{name}' has a molecule of {largest} {what}, "
                        f"more than data.batch.{what}={limit} allows"
                    )
        self.pools, self.limits, self.seed = dict(pools), limits, seed
        self._node_counts, self._edge_counts = node_counts, edge_counts

    def order(self, epoch: int) -> Positions:
        """Return the positions of all samples of an epoch, in their order."""
        stretches = [self._stretch(name, pool, epoch) for name, pool in self.pools.items()]
        samples = np.concatenate(stretches)
        return samples[permutation(self.seed, "mixture", epoch, size=len(samples))]

    def batches(self, epoch: int) -> list[Positions]:
        """Return the global batches of an epoch: each an array of positions."""
        order = self.order(epoch)
        return cut(order, self.limits, self._node_counts, self._edge_counts)

    def _stretch(self, name: str, pool: Pool, epoch: int) -> Positions:
        size, wanted = len(pool.positions), pool.per_epoch
        first, last = epoch * wanted, (epoch + 1) * wanted
        rounds = range(first // size, (last - 1) // size + 1)
        drawn = np.concatenate([permutation(self.seed, name, number, size=size) for number in rounds])
        start = first - rounds.start * size
        stretch: Positions = pool.positions[drawn[start : start + wanted]]
        return stretch


def cut(order: Positions, limits: BatchLimits, node_counts: Positions, edge_counts: Positions) -> list[Positions]:
    """Cut an order of positions into consecutive batches, each as long as the limits allow and at least one long."""
    if limits.nodes is None and limits.edges is None:
        return [order[i : i + limits.graphs] for i in range(0, len(order), limits.graphs)]
    nodes_before = np.concatenate(([0], np.cumsum(node_counts[order])))
    edges_before = np.concatenate(([0], np.cumsum(edge_counts[order])))
    batches, start = [], 0
    while start < len(order):
        stop = min(start + limits.graphs, len(order))
        for limit, before in ((limits.nodes, nodes_before), (limits.edges, edges_before)):
            if limit is not None:
                stop = min(stop, int(np.searchsorted(before, before[start] + limit, side="right")) - 1)
        stop = max(stop, start + 1)
        batches.append(order[start:stop])
        start = stop
    return batches
