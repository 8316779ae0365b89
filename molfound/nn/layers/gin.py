"""The graph isomorphism network's layer."""

import torch
from torch import Tensor, nn

from molfound.config.schema import Count
from molfound.nn.aggregation import Adjacency, sum_neighbours
from molfound.nn.blocks import MLP, Activation, Norm
from molfound.nn.edge_table import EdgeTable
from molfound.nn.layers.layer import Layer, layers


@layers.register("gin")
class GIN(Layer):
    """``x_i' = MLP((1 + ε) x_i + Σ_j x_j)`` over the neighbours j of i, with a learned ε that starts at 0.

    Bond features are not used. Xu et al., "How powerful are graph neural networks?", ICLR 2019.

    Args:
        width_in: width of the nodes that come in.
        width_out: width of the nodes that go out.
        edge_width: width of the edge features, which this layer ignores.
        hidden: width of the perceptron's hidden layer; None: `width_out`.
        activation: of the hidden layer.
        norm: of the hidden layer.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        edge_width: int,
        *,
        hidden: Count | None = None,
        activation: Activation = "relu",
        norm: Norm = "none",
    ) -> None:
        super().__init__(width_in, width_out, edge_width)
        self.epsilon = nn.Parameter(torch.zeros(1))
        self.mlp = MLP(width_in, [hidden or width_out], width_out, activation=activation, norm=norm)

    def forward(self, nodes: Tensor, edges: EdgeTable, adjacency: Adjacency) -> Tensor:
        """Return new node features ``[N, width_out]`` from ``[N, width_in]``."""
        updated: Tensor = self.mlp(torch.addcmul(sum_neighbours(nodes, adjacency), nodes, 1 + self.epsilon))
        return updated
