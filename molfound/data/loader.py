"""Iterables of batches: training batches in the sampler's order, evaluation batches in the data's."""

from collections.abc import Iterator, Sequence

import numpy as np

from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.data.sampler import BatchLimits, MixtureSampler, Positions, cut
from molfound.data.views import STILL, EpochView, View


class BatchLoader:
    """Batches of a collection, one for each array of positions, divided among processes after they are formed.

    Gathering costs a few percent of a training step, so no worker processes are needed.

    Args:
        collection: the graphs.
        batches: the positions of each global batch.
        rank: the number of this process.
        processes: how many processes share each batch; this one takes every `processes`-th sample of it.
        view: what is seen of each molecule.
    """

    def __init__(
        self,
        collection: GraphCollection,
        batches: Sequence[Positions],
        *,
        rank: int = 0,
        processes: int = 1,
        view: View = STILL,
    ) -> None:
        self.collection, self.batches, self.view = collection, list(batches), view
        self.rank, self.processes = rank, processes

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[GraphBatch]:
        for positions in self.batches:
            yield self.collection.batch(positions[self.rank :: self.processes], self.view)


def training_batches(
    collection: GraphCollection,
    sampler: MixtureSampler,
    epoch: int,
    first: int = 0,
    *,
    share_drawn: float = 0.0,
    rank: int = 0,
    processes: int = 1,
) -> BatchLoader:
    """Return the batches of an epoch, from batch number `first` on (where a killed training goes on)."""
    view = EpochView(sampler.seed, epoch, share_drawn)
    return BatchLoader(collection, sampler.batches(epoch)[first:], rank=rank, processes=processes, view=view)


def evaluation_batches(
    collection: GraphCollection,
    positions: Positions,
    limits: BatchLimits,
    *,
    view: View = STILL,
    rank: int = 0,
    processes: int = 1,
) -> BatchLoader:
    """Return batches that hold every position exactly once: ascending, or by size where batches are bucketed.

    By size, the largest come first: a batch that does not fit the memory fails at once.
    """
    nodes, edges = collection.sizes
    order = np.sort(positions)
    if limits.bucket is not None:
        order = order[np.argsort(-nodes[order], kind="stable")]
    return BatchLoader(collection, cut(order, limits, nodes, edges), rank=rank, processes=processes, view=view)
