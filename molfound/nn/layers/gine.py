"""The graph isomorphism network's layer with edge features."""

import torch
from torch import Tensor, nn

from molfound.config.schema import Count
from molfound.nn.aggregation import Adjacency, sum_relu_messages
from molfound.nn.blocks import MLP, Activation, Norm
from molfound.nn.edge_table import EdgeTable
from molfound.nn.layers.layer import Layer, layers


@layers.register("gine")
class GINE(Layer):
    """``x_i' = MLP((1 + ε) x_i + Σ_j ReLU(x_j + W e_ij + b))`` over the neighbours j of i, with a learned ε from 0.

    Hu et al., "Strategies for pre-training graph neural networks", ICLR 2020.

    Args:
        width_in: width of the nodes that come in.
        width_out: width of the nodes that go out.
        edge_width: width of the edge features e.
        hidden: width of the perceptron's hidden layer; None: `width_out`.
        activation: of the hidden layer.
        norm: of the hidden layer.
    """

    uses_edges = True

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
        self.edge = nn.Linear(edge_width, width_in)
        self.mlp = MLP(width_in, [hidden or width_out], width_out, activation=activation, norm=norm)

    def forward(self, nodes: Tensor, edges: EdgeTable, adjacency: Adjacency) -> Tensor:
        """Return new node features ``[N, width_out]`` from ``[N, width_in]`` and edge features ``[E, edge_width]``."""
        messages = sum_relu_messages(nodes, edges.map(self.edge), adjacency)
        updated: Tensor = self.mlp(torch.addcmul(messages, nodes, 1 + self.epsilon))
        return updated
