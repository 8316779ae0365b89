"""Representations of edges and node pairs from those of their two ends."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

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

    def forward(self, nodes: Tensor, edges: Tensor, bond_codes: Tensor) -> Tensor:
        """Return ``[E, 4 * width_in]`` for edges ``[2, E]`` between nodes ``[N, width_in]`` and codes ``[E, F']``."""
        return torch.cat((pair_features(nodes, edges), self.bonds(bond_codes)), dim=1)


class PairReadout(nn.Module):
    """Representations of node pairs: what `pair_features` makes of the two nodes.

    Args:
        width_in: width of the nodes.
    """

    def __init__(self, width_in: int) -> None:
        super().__init__()
        self.width = 3 * width_in

    def forward(self, nodes: Tensor, pairs: Tensor) -> Tensor:
        """Return ``[P, 3 * width_in]`` for pairs ``[2, P]`` of nodes ``[N, width_in]``."""
        return pair_features(nodes, pairs)


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
        node_ptr: int64 ``[G + 1]``: graph g has the nodes ``node_ptr[g]:node_ptr[g + 1]``; need not begin at 0.

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
