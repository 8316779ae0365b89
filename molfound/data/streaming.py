"""Graphs of datasets that do not fit into memory: small ones held, blocks of the others read where they are needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molfound.chem.graphs import LARGEST_GRAPH
from molfound.data.arrays import GraphArrays
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection, LabelChunk, check_crop
from molfound.data.joining import joined
from molfound.data.memory import keep_heap_small, release_free_memory
from molfound.data.store import GraphStore, StoreSizes
from molfound.data.views import STILL, View
from molfound.data.windows import Blocks, Positions


class StreamedCollection:
    """The graphs of several datasets, some of them in memory, the others in their stores.

    It numbers molecules as a `GraphCollection` of the same datasets does. Batches come from `open`, which reads blocks
    into memory.

    Args:
        resident: the arrays of the datasets that are held in memory.
        streamed: the stores of the others.
        order: the names of all, in the order of their positions.
        tasks: which dataset's labels serve each task: ``{task: dataset}``.
        window_blocks: how many blocks of each streamed dataset are to be in memory together.
        crop: molecules with more nodes are cut to so many; None: none is.

    Attributes:
        block_ptr: of each streamed dataset the position that each of its blocks begins at, and its last one's end.

    Raises:
        MolfoundError: a damaged shard, or molecules to be cut whose nodes, edges or pairs have labels.
    """

    def __init__(
        self,
        resident: Mapping[str, GraphArrays],
        streamed: Mapping[str, GraphStore],
        order: Sequence[str],
        tasks: Mapping[str, str],
        window_blocks: Mapping[str, int],
        *,
        crop: int | None = None,
    ) -> None:
        self.crop, self.tasks, self.window_blocks = crop, dict(tasks), dict(window_blocks)
        self._resident = GraphCollection(resident, self._tasks_of(resident), crop=crop) if resident else None
        keep_heap_small()
        self._stores = dict(streamed)
        check_crop(crop, {task: self._level(task) for task, dataset in self.tasks.items() if dataset in streamed})
        sizes = {name: store.sizes() for name, store in streamed.items()}
        rows = [resident[name].rows if name in resident else sizes[name].rows for name in order]
        bounds = np.cumsum([0, *map(len, rows)]).tolist()
        self.ranges = {name: (bounds[i], bounds[i + 1]) for i, name in enumerate(order)}
        self.block_ptr = {name: self.ranges[name][0] + found.block_ptr for name, found in sizes.items()}
        self.rows: Tensor = torch.from_numpy(np.concatenate(rows))
        columns = [_array_sizes(resident[name]) if name in resident else _store_sizes(sizes[name]) for name in order]
        nodes, edges = (np.concatenate(column) for column in zip(*columns, strict=True))
        self.sizes = (nodes if crop is None else np.minimum(nodes, min(crop, LARGEST_GRAPH))), edges

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        datasets = ", ".join(
            f"{name}: {last - first:,}{' streamed' if name in self._stores else ''}"
            for name, (first, last) in self.ranges.items()
        )
        return f"StreamedCollection({datasets})"

    def blocks_of(self, positions: Positions) -> dict[str, tuple[int, ...]]:
        """Return the blocks that positions lie in, of each streamed dataset that has some."""
        found = {}
        for name, starts in self.block_ptr.items():
            own = positions[(positions >= starts[0]) & (positions < starts[-1])]
            if len(own):
                found[name] = tuple(np.unique(np.searchsorted(starts, own, side="right") - 1).tolist())
        return found

    def open(self, blocks: Blocks) -> "OpenedBlocks":
        """Return what batches of these blocks, and of the datasets in memory, are made of.

        Raises:
            MolfoundError: a damaged shard.
        """
        arrays = {name: self._stores[name].part(chosen).load(smiles=False) for name, chosen in blocks.items() if chosen}
        window = GraphCollection(arrays, self._tasks_of(arrays), crop=self.crop) if arrays else None
        opened = OpenedBlocks(self, self._resident, window, {name: tuple(sorted(set(blocks[name]))) for name in arrays})
        del arrays
        release_free_memory()
        return opened

    def batch(self, positions: Tensor | np.ndarray | Sequence[int], view: View = STILL) -> GraphBatch:
        """Return the molecules at these positions as one batch; their blocks are read for it alone, which is slow."""
        chosen = np.asarray(positions, dtype=np.int64)
        return self.open(self.blocks_of(chosen)).batch(chosen, view)

    def stretches(self, positions: Positions) -> Iterator[tuple[Blocks, Positions]]:
        """Yield ascending positions dataset by dataset, those of a streamed one in stretches of some of its blocks."""
        for name, (first, last) in self.ranges.items():
            own = positions[(positions >= first) & (positions < last)]
            if name not in self._stores:
                if len(own):
                    yield {}, own
                continue
            starts, width = self.block_ptr[name], self.window_blocks[name]
            for block in range(0, len(starts) - 1, width):
                end = min(block + width, len(starts) - 1)
                here = own[(own >= starts[block]) & (own < starts[end])]
                if len(here):
                    yield {name: tuple(range(block, end))}, here

    def label_chunks(self, task: str) -> Iterator[LabelChunk]:
        """Yield the labels of a task block by block."""
        dataset = self.tasks[task]
        if dataset not in self._stores:
            assert self._resident is not None
            for chunk in self._resident.label_chunks(task):
                yield replace(chunk, first=self.ranges[dataset][0])
            return
        store = self._stores[dataset]
        for block, first in enumerate(self.block_ptr[dataset][:-1].tolist()):
            labels = store.part([block]).labels(task)
            yield LabelChunk(first, labels.ptr, labels.index, labels.values)
            del labels
            release_free_memory()

    def _level(self, task: str) -> str:
        recipe = self._stores[self.tasks[task]].families[f"labels/{task}"].family.recipe
        return str(recipe["level"])

    def _tasks_of(self, datasets: Mapping[str, GraphArrays]) -> dict[str, str]:
        return {task: dataset for task, dataset in self.tasks.items() if dataset in datasets}


class OpenedBlocks:
    """Blocks in memory, beside the datasets that are there anyway.

    Args:
        collection: whose blocks they are.
        resident: the datasets in memory, or None.
        window: the blocks, or None.
        blocks: their numbers, of each dataset in `window`.
    """

    def __init__(
        self,
        collection: StreamedCollection,
        resident: GraphCollection | None,
        window: GraphCollection | None,
        blocks: Blocks,
    ) -> None:
        self._resident, self._window = resident, window
        # Each contiguous stretch of positions, and where it lies in which of the two collections.
        stretches: list[tuple[int, int, int, bool]] = []
        for name, span in collection.ranges.items():
            if resident is not None and name in resident.ranges:
                stretches.append((*span, resident.ranges[name][0], False))
            elif window is not None and name in blocks:
                starts, place = collection.block_ptr[name], window.ranges[name][0]
                for block in blocks[name]:
                    first, last = int(starts[block]), int(starts[block + 1])
                    stretches.append((first, last, place, True))
                    place += last - first
        self._first = np.array([first for first, *_ in stretches], np.int64)
        self._last = np.array([last for _, last, *_ in stretches], np.int64)
        self._place = np.array([place for *_, place, _ in stretches], np.int64)
        self._in_window = np.array([in_window for *_, in_window in stretches], bool)

    def batch(self, positions: Tensor | np.ndarray | Sequence[int], view: View = STILL) -> GraphBatch:
        """Return the molecules at these positions as one batch; those in memory anyway come first.

        Raises:
            ValueError: a position that lies in no block that was opened.
        """
        chosen = np.asarray(positions, dtype=np.int64)
        if len(chosen) == 0 and (there := self._window or self._resident) is not None:
            return there.batch(chosen, view)
        stretch = np.searchsorted(self._first, chosen, side="right") - 1
        if len(chosen) and (stretch.min() < 0 or (chosen >= self._last[stretch]).any()):
            raise ValueError("a position lies in no block that is in memory")
        places = self._place[stretch] + chosen - self._first[stretch]
        in_window = self._in_window[stretch]
        parts = [
            collection.batch(places[chosen_here], view)
            for collection, chosen_here in ((self._resident, ~in_window), (self._window, in_window))
            if collection is not None and chosen_here.any()
        ]
        return parts[0] if len(parts) == 1 else joined(parts)


def _array_sizes(arrays: GraphArrays) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    return np.diff(arrays.graphs.node_ptr).astype(np.uint16), np.diff(arrays.graphs.edge_ptr).astype(np.uint32)


def _store_sizes(sizes: StoreSizes) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    return sizes.nodes, 2 * sizes.bonds.astype(np.uint32)
