"""A dataset in flat numpy arrays: graphs, encodings, sparse labels."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from molfound.chem.graphs import GraphBlock
from molfound.config.schema import Level
from molfound.data.coordinates import CoordinateArrays


@dataclass(frozen=True)
class LabelArrays:
    """Sparse labels of one task: those that are there, as (position, value) pairs per molecule.

    Attributes:
        level: what a label belongs to.
        names: the L label columns.
        ptr: int64 ``[G+1]``, the pairs of molecule g are ``ptr[g]:ptr[g+1]``.
        index: int32 ``[V]``, the label's number; at node, edge and node-pair level the local item (node; edge; i·n + j)
            times L plus the label's number. Ascending within a molecule.
        values: float32 ``[V]``.
    """

    level: Level
    names: tuple[str, ...]
    ptr: NDArray[np.int64]
    index: NDArray[np.int32]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class GraphArrays:
    """The G molecules of a dataset that are used, in the order of its rows.

    Attributes:
        graphs: their graphs.
        rows: int64 ``[G]``, row number of each in the table, ascending.
        smiles: ``[G]``, as the table has them, or ``[0]`` where they were not loaded.
        encodings: float16, by part (``"laplacian.magnitudes"``): ``[N, k]`` or ``[G, k]``.
        labels: by task.
        weights: float32 ``[G]``, or None for a dataset without sample weights.
        coordinates: their conformers, or None where none were prepared.
        drawings: where their atoms lie when they are drawn, or None where that was not prepared.
    """

    graphs: GraphBlock
    rows: NDArray[np.int64]
    smiles: pa.Array
    encodings: dict[str, NDArray[np.float16]] = field(default_factory=dict)
    labels: dict[str, LabelArrays] = field(default_factory=dict)
    weights: NDArray[np.float32] | None = None
    coordinates: CoordinateArrays | None = None
    drawings: CoordinateArrays | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes that they take in memory."""
        arrays = [value for value in vars(self.graphs).values() if isinstance(value, np.ndarray)]
        arrays += [self.rows, *self.encodings.values()]
        arrays += [array for labels in self.labels.values() for array in (labels.ptr, labels.index, labels.values)]
        arrays += [] if self.weights is None else [self.weights]
        for conformers in (self.coordinates, self.drawings):
            arrays += [] if conformers is None else [conformers.coordinates, conformers.ptr, conformers.conformers]
        return int(self.smiles.nbytes) + sum(array.nbytes for array in arrays)

    def __repr__(self) -> str:
        tasks = ", ".join(f"{name}: {len(labels.values):,}" for name, labels in self.labels.items())
        return f"GraphArrays({len(self):,} molecules, labels {{{tasks}}})"
