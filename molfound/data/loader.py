"""Iterables of batches: training batches in the sampler's order, evaluation batches in the data's."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from molfound.data.batch import GraphBatch
from molfound.data.collection import Collection
from molfound.data.memory import release_free_memory
from molfound.data.sampler import BatchLimits, MixtureSampler, cut
from molfound.data.views import STILL, EpochView, View
from molfound.data.windows import Positions, Window, prefetched

RELEASED_EVERY = 8  # batches of what is streamed: gaps in the heap would add up to the size of a window


class BatchLoader:
    """The batches of windows of a collection, divided among processes after they are formed.

    Gathering costs a few percent of a training step, so no worker processes are needed; the blocks of the next window
    are read while the present one is in use.

    Args:
        collection: the graphs.
        windows: returns the windows, from the first on.
        count: how many batches they hold.
        rank: the number of this process.
        processes: how many processes share each batch; this one takes every `processes`-th sample of it.
        view: what is seen of each molecule.
    """

    def __init__(
        self,
        collection: Collection,
        windows: Callable[[], Iterable[Window]],
        count: int,
        *,
        rank: int = 0,
        processes: int = 1,
        view: View = STILL,
    ) -> None:
        self.collection, self.windows, self.count, self.view = collection, windows, count, view
        self.rank, self.processes = rank, processes

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[GraphBatch]:
        left, batch = self.count, None
        for window, opened in prefetched(self.windows(), lambda window: self.collection.open(window.blocks)):
            for number, positions in enumerate(window.batches):
                if window.blocks and number % RELEASED_EVERY == 0:
                    release_free_memory()
                batch = opened.batch(positions[self.rank :: self.processes], self.view)
                left -= 1
                if left:
                    yield batch
        if batch is not None:
            # Who takes the last batch may never ask for more, and the blocks would stay in memory for as long.
            del window, opened
            yield batch


def training_batches(
    collection: Collection,
    sampler: MixtureSampler,
    epoch: int,
    first: int = 0,
    *,
    share_drawn: float = 0.0,
    rank: int = 0,
    processes: int = 1,
) -> BatchLoader:
    """Return the batches of an epoch, from batch number `first` on (where a killed training goes on)."""
    return BatchLoader(
        collection,
        lambda: without_first(sampler.windows(epoch), first),
        sampler.count(epoch) - first,
        rank=rank,
        processes=processes,
        view=EpochView(sampler.seed, epoch, share_drawn),
    )


def without_first(windows: Iterable[Window], batches: int) -> Iterator[Window]:
    """Yield windows without so many of their batches; one that has none left is not read."""
    for window in windows:
        if batches < len(window.batches):
            yield Window(window.batches[batches:], window.blocks)
        batches = max(0, batches - len(window.batches))


def evaluation_batches(
    collection: Collection,
    positions: Positions,
    limits: BatchLimits,
    *,
    view: View = STILL,
    rank: int = 0,
    processes: int = 1,
) -> BatchLoader:
    """Return batches that hold every position exactly once: ascending, or by size where batches are bucketed.

    By size, the largest come first: a batch that does not fit the memory fails at once. Of a dataset that is read block
    by block, they are ordered so within some of its blocks after the others.
    """
    nodes, edges = collection.sizes
    windows = []
    for blocks, order in collection.stretches(np.sort(positions)):
        if limits.bucket is not None:
            order = order[np.argsort(-nodes[order].astype(np.int64), kind="stable")]
        windows.append(Window(cut(order, limits, nodes, edges), blocks))
    count = sum(len(window.batches) for window in windows)
    return BatchLoader(collection, lambda: windows, count, rank=rank, processes=processes, view=view)
