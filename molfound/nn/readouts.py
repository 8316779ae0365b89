"""Read-outs: from the representations of a graph's nodes to one of the graph."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from molfound.config.schema import Count, Dropout
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.aggregation import segment_sum
from molfound.nn.blocks import MLP, Activation, Norm
from molfound.registry import Registry

Pooling = Literal["sum", "mean", "max"]


class Readout(nn.Module):
    """What turns the node representations of each graph into one of the graph.

    A subclass takes `width_in`, declares its options keyword-only, sets `self.width` and implements
    `forward(nodes [N, width_in], batch) -> [G, width]`.
    """

    width: int

    def forward(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return the graph representations, ``[G, width]``."""
        raise NotImplementedError


readouts: Registry[type[Readout]] = Registry("readout")


@readouts.register("pool")
class Pool(Readout):
    """Sum, mean and maximum over the nodes of each graph, those wanted side by side, then a perceptron if wanted.

    Args:
        width_in: width of the nodes.
        pooling: which of ``sum``, ``mean`` and ``max``, in their order.
        hidden: widths of the perceptron's hidden layers.
        width: width of the perceptron's output; None: without hidden layers no perceptron, with them the last one's.
        activation: of the hidden layers.
        norm: of the hidden layers.
        dropout: share of hidden units left out in training.
    """

    def __init__(
        self,
        width_in: int,
        *,
        pooling: Annotated[Sequence[Pooling], Field(min_length=1)] = ("sum",),
        hidden: Sequence[Count] = (),
        width: Count | None = None,
        activation: Activation = "gelu",
        norm: Norm = "none",
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__()
        self.pooling = tuple(pooling)
        pooled = width_in * len(pooling)
        self.width = width or (hidden[-1] if hidden else pooled)
        self.mlp = (
            MLP(pooled, hidden, self.width, activation=activation, norm=norm, dropout=dropout)
            if hidden or width
            else nn.Identity()
        )

    def forward(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return the graph representations, ``[G, width]``."""
        pooled = torch.cat([pool(nodes, batch, pooling) for pooling in self.pooling], dim=1)
        read: Tensor = self.mlp(pooled)
        return read


@readouts.register("attention")
class Attention(Readout):
    """Means over the nodes of each graph, weighted by softmax scores that are learned from the nodes themselves.

    Each head scores the nodes with a perceptron of one hidden layer and takes its own part of their values, which are
    linear in them (Lin et al., "A structured self-attentive sentence embedding", ICLR 2017).

    Args:
        width_in: width of the nodes.
        heads: number of weightings.
        width: width of the result, of which each head has an equal part; None: `width_in`.
        dropout: share of the weights left out in training.

    Raises:
        MolfoundError: the heads cannot share the width evenly.
    """

    def __init__(self, width_in: int, *, heads: Count = 4, width: Count | None = None, dropout: Dropout = 0.0) -> None:
        super().__init__()
        self.width = width or width_in
        if self.width % heads:
            raise MolfoundError(f"read-out 'attention': {heads} heads cannot share a width of {self.width} evenly")
        self.heads = heads
        self.score = MLP(width_in, [width_in], heads, activation="tanh")
        self.value = nn.Linear(width_in, self.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return the graph representations, ``[G, width]``."""
        weights = self.dropout(softmax(self.score(nodes), batch))
        values = self.value(nodes).view(-1, self.heads, self.width // self.heads)
        return pool((weights[:, :, None] * values).flatten(1), batch, "sum")


def softmax(scores: Tensor, batch: GraphBatch) -> Tensor:
    """Return weights that sum to one over the nodes of each graph, ``[N, h]`` to ``[N, h]``, float32 at least."""
    highest = pool(scores.detach(), batch, "max")
    raised = (scores - highest.index_select(0, batch.node_graph)).exp()
    return raised / pool(raised, batch, "sum").index_select(0, batch.node_graph)


def pool(nodes: Tensor, batch: GraphBatch, pooling: Pooling) -> Tensor:
    """Return the sum, mean or maximum over the nodes of each graph, ``[N, d]`` to float32 ``[G, d]``.

    Where several nodes share a maximum, they share its gradient.
    """
    # In half precision the sum over a large molecule would lose its last atoms.
    nodes = nodes.float() if nodes.dtype in (torch.float16, torch.bfloat16) else nodes
    if pooling == "max":
        index = batch.node_graph[:, None].expand_as(nodes)
        empty = nodes.new_full((batch.num_graphs, nodes.shape[1]), -torch.inf)
        return empty.scatter_reduce(0, index, nodes, "amax")
    total = segment_sum(nodes, batch.node_graph, batch.node_ptr)
    return total if pooling == "sum" else total / batch.node_ptr.diff()[:, None]
