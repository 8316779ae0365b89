"""Molecules that are too large, cut to a part: atoms, edges, encodings and coordinates together."""

from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path
from torch import Tensor

from molfound.data.batch import GraphBatch, part_level
from molfound.data.views import Ints


def cropped(batch: GraphBatch, largest: int, centres: Ints | None = None) -> GraphBatch:
    """Return the batch with no more than `largest` nodes of any graph: those nearest to one of them by bonds.

    The nodes keep their order. A graph's encodings, its labels and its sample weight stay those of the whole molecule.
    Where the nearest nodes are fewer than allowed, because the molecule has several fragments, others follow in order.

    Args:
        batch: its labels are of graphs, not of what a graph consists of.
        largest: how many nodes are kept at most.
        centres: int64 ``[G]``, the node of each graph, by its number in the graph, that the kept ones are near to;
            None: the one whose farthest node is nearest.

    Example:
        >>> from molfound.chem.graphs import featurize_smiles
        >>> from molfound.data.arrays import GraphArrays
        >>> from molfound.data.collection import GraphCollection
        >>> import pyarrow as pa
        >>> block, kept, _ = featurize_smiles(["CCCCCCCO", "CO"], ["atomic_number"], ["bond_type"])
        >>> collection = GraphCollection({"two": GraphArrays(block, kept, pa.array(["CCCCCCCO", "CO"]))})
        >>> cropped(collection.batch([0, 1]), largest=3).node_ptr
        tensor([0, 3, 5])
    """
    sizes = batch.node_ptr.diff()
    large = (sizes > largest).nonzero().flatten().tolist()
    if not large:
        return batch
    kept = torch.ones(batch.num_nodes, dtype=torch.bool)
    for g in large:
        first, last = int(batch.node_ptr[g]), int(batch.node_ptr[g + 1])
        edges = batch.edge_index[:, int(batch.edge_ptr[g]) : int(batch.edge_ptr[g + 1])] - first
        kept[first:last] = _near(edges.numpy(), last - first, largest, None if centres is None else int(centres[g]))
    return _restricted(batch, kept)


def _near(edges: Ints, nodes: int, largest: int, centre: int | None) -> Tensor:
    """Return which nodes of a graph are kept, bool ``[nodes]``."""
    matrix = coo_array((np.ones(edges.shape[1]), (edges[0], edges[1])), shape=(nodes, nodes)).tocsr()
    if centre is None:
        lengths = shortest_path(matrix, unweighted=True)
        reached = np.isfinite(lengths)
        # The middle of the largest fragment, not of an ion beside it.
        centre = int(np.lexsort((np.where(reached, lengths, 0).max(1), -reached.sum(1)))[0])
    distances = shortest_path(matrix, unweighted=True, indices=centre)
    kept = torch.zeros(nodes, dtype=torch.bool)
    kept[torch.from_numpy(np.argsort(distances, kind="stable")[:largest])] = True
    return kept


def _restricted(batch: GraphBatch, kept: Tensor) -> GraphBatch:
    """Return the batch with the nodes of a mask, and the edges and bonds between them."""
    node_number, node_ptr = _renumbered(kept, batch.node_ptr)
    kept_edges = kept[batch.edge_index].all(0)
    edge_number, edge_ptr = _renumbered(kept_edges, batch.edge_ptr)
    kept_bonds = torch.zeros(len(batch.bond_codes), dtype=torch.bool)
    kept_bonds[batch.edge_bond[kept_edges]] = True
    bond_number, bond_ptr = _renumbered(kept_bonds, batch.bond_ptr)
    return replace(
        batch,
        node_codes=batch.node_codes[kept],
        bond_codes=batch.bond_codes[kept_bonds],
        edge_index=node_number[batch.edge_index[:, kept_edges]],
        edge_bond=bond_number[batch.edge_bond[kept_edges]],
        edge_reverse=edge_number[batch.edge_reverse[kept_edges]],
        node_ptr=node_ptr,
        edge_ptr=edge_ptr,
        bond_ptr=bond_ptr,
        node_graph=batch.node_graph[kept],
        encodings={
            name: values[kept] if part_level(name) == "node" else values for name, values in batch.encodings.items()
        },
        coordinates=None if batch.coordinates is None else batch.coordinates[kept],
        largest=0,
    )


def _renumbered(kept: Tensor, ptr: Tensor) -> tuple[Tensor, Tensor]:
    """Return the new number of each item, right where it is kept, and the pointers of the graphs among the kept."""
    before = torch.cat((ptr.new_zeros(1), kept.cumsum(0)))
    return before[:-1], before[ptr]
