"""Graphs of equal size as stacks of dense adjacency matrices, so that linear algebra runs on many graphs at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from molfound.chem.graphs import GraphStructure


@dataclass(frozen=True)
class SizeBatch:
    """Graphs of n nodes each.

    Args:
        adjacency: float64 [b, n, n], symmetric, 1 where there is a bond, whatever its order.
        graphs: int64 [b], the graphs' positions in their block.
        nodes: int64 [b, n], their nodes' positions in the block.
    """

    adjacency: npt.NDArray[np.float64]
    graphs: npt.NDArray[np.int64]
    nodes: npt.NDArray[np.int64]


def batches_by_size(block: GraphStructure, *, max_entries: int = 2**18) -> Iterator[SizeBatch]:
    """Yield every graph of a block with at least one node exactly once, in batches of equal size.

    Args:
        block: G graphs.
        max_entries: the largest number of matrix entries in a batch (2 MiB by default), which bounds the memory; a
            single graph that is larger makes a batch of its own.

    Example:
        >>> from molfound.chem import featurize_smiles
        >>> block, _, _ = featurize_smiles(["CO", "C", "C=N"], [], [])
        >>> [(batch.graphs.tolist(), batch.adjacency.shape) for batch in batches_by_size(block)]
        [([1], (1, 1, 1)), ([0, 2], (2, 2, 2))]
    """
    sizes = np.diff(block.node_ptr)
    by_size = np.argsort(sizes, kind="stable")
    edges_of = np.diff(block.edge_ptr)
    for size in np.unique(sizes[sizes > 0]).tolist():
        first, last = np.searchsorted(sizes[by_size], [size, size + 1])
        step = max(1, max_entries // size**2)
        for start in range(first, last, step):
            graphs = by_size[start : min(start + step, last)]
            edges = _ranges(block.edge_ptr[graphs], edges_of[graphs])
            adjacency = np.zeros((len(graphs), size, size))
            owner = np.repeat(np.arange(len(graphs)), edges_of[graphs])
            adjacency[owner, block.edge_target[edges], block.edge_source[edges]] = 1.0
            yield SizeBatch(adjacency, graphs, block.node_ptr[graphs][:, None] + np.arange(size))


def _ranges(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the numbers ``start, …, start + count - 1`` of each pair, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)
