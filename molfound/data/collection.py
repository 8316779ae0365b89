"""Graphs of one or many datasets in flat tensors, from which batches of any molecules are gathered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molfound.chem.edges import BOND, REVERSE, SOURCE, TARGET
from molfound.data.arrays import GraphArrays, LabelArrays
from molfound.data.batch import GraphBatch, part_level
from molfound.data.conformer_tensors import ConformerTensors
from molfound.data.cropping import cropped
from molfound.data.views import STILL, View
from molfound.data.windows import Blocks, Positions
from molfound.errors import MolfoundError


@dataclass(frozen=True)
class TaskLabels:
    """Sparse labels of one task, (position, value) pairs per molecule of its dataset.

    Attributes:
        dataset: the task's dataset.
        level: ``"graph"``, ``"node"``, ``"edge"`` or ``"node_pair"``.
        names: the L label columns.
        ptr: int64 ``[graphs of the dataset + 1]``, the pairs of each molecule.
        index: int32 ``[V]``, item within the molecule times L plus label.
        values: float32 ``[V]``.
    """

    dataset: str
    level: str
    names: tuple[str, ...]
    ptr: Tensor
    index: Tensor
    values: Tensor

    @classmethod
    def from_arrays(cls, dataset: str, labels: LabelArrays) -> Self:
        """Return the labels of a dataset's store as tensors."""
        ptr, index, values = (_joined([array]) for array in (labels.ptr, labels.index, labels.values))
        return cls(dataset, labels.level, tuple(labels.names), ptr, index, values)


@dataclass(frozen=True)
class LabelChunk:
    """Labels of consecutive molecules.

    Attributes:
        first: the position of the first molecule in the collection.
        ptr: int64 ``[molecules + 1]``, the pairs of each.
        index: int32 ``[V]``, item within the molecule times L plus label.
        values: float32 ``[V]``.
    """

    first: int
    ptr: NDArray[np.int64]
    index: NDArray[np.int32]
    values: NDArray[np.float32]

    def chosen(self, positions: Positions) -> NDArray[np.bool_]:
        """Return which of the molecules are among ascending positions, bool ``[molecules]``."""
        chosen = np.zeros(len(self.ptr) - 1, np.bool_)
        here = slice(*np.searchsorted(positions, (self.first, self.first + len(chosen))))
        chosen[positions[here] - self.first] = True
        return chosen


class Batches(Protocol):
    """What batches are gathered from."""

    def batch(self, positions: Tensor | np.ndarray | Sequence[int], view: View = STILL) -> GraphBatch:
        """Return the molecules at these positions as one batch."""
        ...


class Collection(Batches, Protocol):
    """The graphs of several datasets, in memory or not.

    Attributes:
        ranges: where each dataset's positions lie.
        rows: int64, the row of each molecule in its dataset's table.
        block_ptr: of each dataset that is read block by block the position that each of its blocks begins at, and its
            last one's end.
        crop: molecules with more nodes are cut to so many; None: none is.
    """

    ranges: dict[str, tuple[int, int]]
    rows: Tensor
    block_ptr: dict[str, Positions]
    crop: int | None

    @property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and edges of each molecule in a batch, int64; of one that is cut, edges at most."""
        ...

    def __len__(self) -> int: ...

    def open(self, blocks: Blocks) -> Batches:
        """Return what batches are gathered from whose molecules lie in these blocks."""
        ...

    def stretches(self, positions: Positions) -> Iterator[tuple[Blocks, Positions]]:
        """Yield ascending positions in stretches that fit into memory, each with the blocks it lies in."""
        ...

    def label_chunks(self, task: str) -> Iterator[LabelChunk]:
        """Yield the labels of a task, of all molecules of its dataset in the order of their positions."""
        ...


class GraphCollection:
    """The graphs of several datasets, one after the other, ready to be gathered into batches.

    A *position* numbers a molecule over the whole collection; `ranges` says where each dataset's positions lie.

    Args:
        datasets: the arrays of each dataset, in the order in which batches hold them.
        tasks: which dataset's labels serve each task: ``{task: dataset}``.
        crop: molecules with more nodes are cut to so many, see `cropped`; None: none is.

    Raises:
        MolfoundError: no dataset, or molecules to be cut whose nodes, edges or pairs have labels.
    """

    def __init__(
        self, datasets: Mapping[str, GraphArrays], tasks: Mapping[str, str] | None = None, *, crop: int | None = None
    ) -> None:
        parts = list(datasets.values())
        if not parts:
            raise MolfoundError("no dataset to batch")
        graphs = [part.graphs for part in parts]
        counts = [len(part.rows) for part in parts]
        bounds = np.cumsum([0, *counts]).tolist()
        self.ranges = {name: (bounds[i], bounds[i + 1]) for i, name in enumerate(datasets)}
        self._bounds = torch.tensor([bound for span in self.ranges.values() for bound in span])
        self.rows = _joined([part.rows for part in parts])
        self.node_ptr = _joined_ptr([block.node_ptr for block in graphs])
        self.edge_ptr = _joined_ptr([block.edge_ptr for block in graphs])
        self.bond_ptr = _joined_ptr([block.bond_ptr for block in graphs])
        self.node_codes = _joined([block.node_codes for block in graphs])
        self.bond_codes = _joined([block.bond_codes for block in graphs])
        self.edges = _joined([block.edges for block in graphs])
        self.encodings = {name: _joined([part.encodings[name] for part in parts]) for name in parts[0].encodings}
        self.labels = {
            task: TaskLabels.from_arrays(dataset, datasets[dataset].labels[task])
            for task, dataset in (tasks or {}).items()
        }
        self._conformers = ConformerTensors.of([part.coordinates for part in parts], counts)
        self._drawings = ConformerTensors.of([part.drawings for part in parts], counts)
        self.crop = crop
        self.block_ptr: dict[str, Positions] = {}
        check_crop(crop, {task: labels.level for task, labels in self.labels.items()})
        self.weights = {name: _joined([part.weights]) for name, part in datasets.items() if part.weights is not None}

    def __len__(self) -> int:
        return self.node_ptr.numel() - 1

    def __repr__(self) -> str:
        datasets = ", ".join(f"{name}: {last - first:,}" for name, (first, last) in self.ranges.items())
        return f"GraphCollection({datasets})"

    @property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and edges of each molecule in a batch, int64 ``[len(self)]``; of one that is cut, edges at most."""
        nodes, edges = (np.diff(ptr.numpy()) for ptr in (self.node_ptr, self.edge_ptr))
        return (nodes if self.crop is None else np.minimum(nodes, self.crop)), edges

    def batch(self, positions: Tensor | np.ndarray | Sequence[int], view: View = STILL) -> GraphBatch:
        """Return the molecules at these positions as one batch, in ascending order of position.

        Args:
            positions: integers ``[G]`` in ``[0, len(self))``; a repeated one yields its molecule again.
            view: which coordinates of each, and which part of one that is cut.
        """
        chosen = torch.as_tensor(positions, dtype=torch.int64).sort().values
        ranges = self._dataset_ranges(chosen)
        node_ptr, node_graph, nodes = _ragged(self.node_ptr, chosen)
        edge_ptr, edge_graph, edges = _ragged(self.edge_ptr, chosen)
        bond_ptr, _, bonds = _ragged(self.bond_ptr, chosen)
        # index_select gathers rows several times faster than indexing with brackets does.
        words = self.edges.index_select(0, edges)
        source, target, bond, reverse = ((words >> n).bitwise_and_(0xFFFF) for n in (SOURCE, TARGET, BOND, REVERSE))
        first_node = node_ptr.index_select(0, edge_graph)
        batch = GraphBatch(
            node_codes=self.node_codes.index_select(0, nodes),
            bond_codes=self.bond_codes.index_select(0, bonds),
            edge_index=torch.stack((source.add_(first_node), target.add_(first_node))),
            edge_bond=bond.add_(bond_ptr.index_select(0, edge_graph)),
            edge_reverse=reverse.add_(edge_ptr.index_select(0, edge_graph)),
            node_ptr=node_ptr,
            edge_ptr=edge_ptr,
            bond_ptr=bond_ptr,
            node_graph=node_graph,
            rows=self.rows.index_select(0, chosen),
            datasets=ranges,
            encodings={
                name: values.index_select(0, nodes if part_level(name) == "node" else chosen).float()
                for name, values in self.encodings.items()
            },
            weights={
                name: weights[chosen[slice(*ranges[name])] - self.ranges[name][0]]
                for name, weights in self.weights.items()
                if name in ranges
            },
        )
        batch = replace(batch, coordinates=self._coordinates(chosen, batch, view))
        labels = {
            task: self._dense_labels(labels, chosen, batch)
            for task, labels in self.labels.items()
            if labels.dataset in ranges
        }
        batch = replace(batch, labels=labels)
        if self.crop is None:
            return batch
        return cropped(batch, self.crop, view.centres(batch.rows.numpy(), batch.node_ptr.diff().numpy()))

    def _coordinates(self, chosen: Tensor, batch: GraphBatch, view: View) -> Tensor | None:
        if self._conformers is None:
            return None
        coordinates = self._conformers.gather(chosen, batch.node_ptr, batch.rows, view)
        if self._drawings is None:
            return coordinates
        drawn = torch.from_numpy(view.drawn(batch.rows.numpy()))[batch.node_graph]
        drawings = self._drawings.gather(chosen, batch.node_ptr, batch.rows, view)
        # A molecule that could not be drawn keeps its conformer.
        return torch.where(drawn[:, None] & drawings.isfinite(), drawings, coordinates)

    def open(self, blocks: Blocks) -> Self:
        """Return the collection itself: all of it is in memory."""
        return self

    def stretches(self, positions: Positions) -> Iterator[tuple[Blocks, Positions]]:
        """Yield the positions at once."""
        yield {}, positions

    def label_chunks(self, task: str) -> Iterator[LabelChunk]:
        """Yield the labels of a task at once."""
        labels = self.labels[task]
        arrays = (labels.ptr.numpy(), labels.index.numpy(), labels.values.numpy())
        yield LabelChunk(self.ranges[labels.dataset][0], *arrays)

    def _dataset_ranges(self, chosen: Tensor) -> dict[str, tuple[int, int]]:
        found = torch.searchsorted(chosen, self._bounds).view(-1, 2).tolist()
        return {name: (first, last) for name, (first, last) in zip(self.ranges, found, strict=True) if last > first}

    def _dense_labels(self, labels: TaskLabels, chosen: Tensor, batch: GraphBatch) -> Tensor:
        first, last = batch.datasets[labels.dataset]
        _, graph, pairs = _ragged(labels.ptr, chosen[first:last] - self.ranges[labels.dataset][0])
        item_ptr = batch.item_ptr(labels.level)[first : last + 1]
        item_ptr = item_ptr - item_ptr[0]
        width = len(labels.names)
        dense = torch.full((int(item_ptr[-1]) * width,), float("nan"))
        offset = (item_ptr * width).index_select(0, graph)
        dense[offset + labels.index.index_select(0, pairs)] = labels.values.index_select(0, pairs)
        return dense.view(-1, width)


def check_crop(crop: int | None, levels: Mapping[str, str]) -> None:
    """Refuse to cut molecules of whose nodes, edges or pairs labels are given; `levels` of the tasks.

    Raises:
        MolfoundError: names the task.
    """
    for task, level in levels.items():
        if crop is not None and level != "graph":
            raise MolfoundError(
                f"data.crop cuts off what task '{task}' predicts, which is of level {level}: "
                "leave it out; data.max_heavy_atoms rejects molecules that are too large"
            )


def _ragged(ptr: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lay the chosen runs end to end: return their pointers, the run of each item, and the index that gathers them."""
    start = ptr[chosen]
    counts = ptr[chosen + 1] - start
    new_ptr = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
    run = torch.repeat_interleave(counts)
    index = (start - new_ptr[:-1]).index_select(0, run)
    return new_ptr, run, index.add_(torch.arange(len(index)))


def _joined(arrays: Sequence[np.ndarray]) -> Tensor:
    # A copy also of a single array that cannot be written to, as some from a store, which torch does not know.
    whole = len(arrays) == 1 and arrays[0].flags.writeable
    return torch.from_numpy(arrays[0] if whole else np.concatenate(arrays))


def _joined_ptr(pointers: Sequence[np.ndarray]) -> Tensor:
    counts = np.concatenate([np.diff(ptr) for ptr in pointers])
    return torch.from_numpy(np.concatenate(([0], np.cumsum(counts, dtype=np.int64))))
