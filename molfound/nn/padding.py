"""Between packed batches, whose molecules stand one after the other, and padded ones."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from molfound.data.batch import GraphBatch


@dataclass(frozen=True)
class Padding:
    """Where the N nodes of a batch's B graphs stand in ``[B, L]``, L the number of nodes of the largest.

    Attributes:
        place: int64 ``[N]``, of each node among the B · L places.
        mask: bool ``[B, L]``, true where a node stands.
    """

    place: Tensor
    mask: Tensor

    @classmethod
    def of(cls, batch: GraphBatch) -> Self:
        """Return the padding of a batch."""
        graphs, length = batch.num_graphs, batch.largest
        node = torch.arange(batch.num_nodes, device=batch.node_ptr.device)
        place = node - batch.node_ptr[batch.node_graph] + batch.node_graph * length
        counts = batch.node_ptr.diff()
        return cls(place, torch.arange(length, device=counts.device).expand(graphs, -1) < counts[:, None])

    def pad(self, nodes: Tensor, value: float = 0) -> Tensor:
        """Return ``[N, …]`` as ``[B, L, …]`` with a value in the padding."""
        padded = nodes.new_full((self.mask.numel(), *nodes.shape[1:]), value)
        return padded.index_copy(0, self.place, nodes).view(*self.mask.shape, *nodes.shape[1:])

    def pad_edges(self, edges: Tensor, batch: GraphBatch, value: float = 0) -> Tensor:
        """Return ``[E, …]`` as ``[B, L, L, …]``, row the source and column the target, with a value elsewhere."""
        graphs, length = self.mask.shape
        source, target = batch.edge_index
        column = target - batch.node_ptr[batch.node_graph[target]]
        padded = edges.new_full((graphs * length * length, *edges.shape[1:]), value)
        padded = padded.index_copy(0, self.place[source] * length + column, edges)
        return padded.view(graphs, length, length, *edges.shape[1:])

    def pack(self, padded: Tensor) -> Tensor:
        """Return ``[B, L, …]`` as ``[N, …]``."""
        return padded.flatten(0, 1).index_select(0, self.place)

    def pack_pairs(self, padded: Tensor) -> Tensor:
        """Return ``[B, L, L, …]`` as ``[P, …]``: of each graph the pairs ``i * n + j``."""
        return padded[self.mask[:, :, None] & self.mask[:, None, :]]
