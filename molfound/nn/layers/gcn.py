"""The graph convolution of Kipf and Welling."""

from torch import Tensor, nn

from molfound.nn.aggregation import Adjacency, sum_normalized
from molfound.nn.edge_table import EdgeTable
from molfound.nn.layers.layer import Layer, layers


@layers.register("gcn")
class GCN(Layer):
    """``x_i' = W Σ_j x_j / sqrt(d_i d_j) + b`` over the neighbours j of i and i itself; d counts i itself too.

    Bond features are not used: every bond weighs the same. Kipf and Welling, "Semi-supervised classification with graph
    convolutional networks", ICLR 2017.

    Args:
        width_in: width of the nodes that come in.
        width_out: width of the nodes that go out.
        edge_width: width of the edge features, which this layer ignores.
    """

    def __init__(self, width_in: int, width_out: int, edge_width: int) -> None:
        super().__init__(width_in, width_out, edge_width)
        self.linear = nn.Linear(width_in, width_out)

    def forward(self, nodes: Tensor, edges: EdgeTable, adjacency: Adjacency) -> Tensor:
        """Return new node features ``[N, width_out]`` from ``[N, width_in]``."""
        convolved: Tensor = self.linear(sum_normalized(nodes, adjacency))
        return convolved
