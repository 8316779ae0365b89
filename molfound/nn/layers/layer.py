"""What a message-passing layer is, and the registry of layers."""

from typing import ClassVar

from torch import Tensor, nn

from molfound.nn.aggregation import Adjacency
from molfound.nn.edge_table import EdgeTable
from molfound.registry import Registry


class Layer(nn.Module):
    """One step of message passing.

    A subclass takes the three widths, declares its options keyword-only and implements `forward`. Norm, activation and
    dropout after the step and the residual around it are the encoder's. A layer that reads bonds sets `uses_edges`;
    otherwise `edge_width` is 0 and the edges have no features.

    Args:
        width_in: width of the nodes that come in.
        width_out: width of the nodes that go out.
        edge_width: width of the edge features.
    """

    uses_edges: ClassVar[bool] = False

    def __init__(self, width_in: int, width_out: int, edge_width: int) -> None:
        super().__init__()
        self.width_in, self.width_out, self.edge_width = width_in, width_out, edge_width

    def forward(self, nodes: Tensor, edges: EdgeTable, adjacency: Adjacency) -> Tensor:
        """Return new node features ``[N, width_out]`` from ``[N, width_in]`` and edge features ``[E, edge_width]``."""
        raise NotImplementedError


layers: Registry[type[Layer]] = Registry("layer")
