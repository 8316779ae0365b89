"""Representations of edges and node pairs from those of their two ends."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from molfound.data.batch import GraphBatch
from molfound.nn.inputs import CodeEmbedding


class EdgeReadout(nn.Module):
    """Representations of edges: what `pair_features` makes of the two ends, beside an embedding of the bond.

    Both directions of a bond get the same representation.

    Args:
        width_in: width of the nodes.
        bond_sizes: vocabulary size of each bond feature.
    """

    def __init__(self, width_in: int, bond_sizes: Sequence[int]) -> None:
        super().__init__()
        self.bonds = CodeEmbedding(bond_sizes, width_in)
        self.width = 4 * width_in

    def forward(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return ``[E, 4 * width_in]``."""
        bonds = self.bonds(batch.bond_codes).index_select(0, batch.edge_bond)
        return torch.cat((pair_features(nodes, batch.edge_index), bonds), dim=1)


class PairReadout(nn.Module):
    """Representations of all ordered node pairs of each graph: what `pair_features` makes of the two nodes.

    Args:
        width_in: width of the nodes.
    """

    def __init__(self, width_in: int) -> None:
        super().__init__()
        self.width = 3 * width_in

    def forward(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return ``[P, 3 * width_in]``, pairs in the order of `node_pairs`."""
        return pair_features(nodes, node_pairs(batch.node_ptr))


def pair_features(nodes: Tensor, pairs: Tensor) -> Tensor:
    """Return sum, absolute difference and product of two nodes' features, the same for ``(i, j)`` and ``(j, i)``.

    Args:
        nodes: ``[N, d]``.
        pairs: int64 ``[2, P]``, node numbers.

    Returns:
        ``[P, 3 * d]``.
    """
    first, second = nodes.index_select(0, pairs[0]), nodes.index_select(0, pairs[1])
    return torch.cat((first + second, (first - second).abs(), first * second), dim=1)


def node_pairs(node_ptr: Tensor) -> Tensor:
    """Return all ordered node pairs of each graph, int64 ``[2, P]``: within a graph of n nodes row ``i * n + j``.

    Args:
        node_ptr: int64 ``[G + 1]``, nodes numbered over the batch.

    Example:
        >>> node_pairs(torch.tensor([0, 1, 3])).tolist()
        [[0, 1, 1, 2, 2], [0, 1, 2, 1, 2]]
    """
    sizes, starts = node_ptr.diff(), node_ptr[:-1]
    squares = sizes * sizes
    graph = torch.repeat_interleave(squares)
    place = torch.arange(graph.numel(), device=graph.device) - (squares.cumsum(0) - squares)[graph]
    size, start = sizes[graph], starts[graph]
    return torch.stack((start + place // size, start + place % size))
