"""Each layer against torch-geometric's, with copied weights."""

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, GINConv, GINEConv

from molfound.data.batch import GraphBatch
from molfound.nn.aggregation import Adjacency
from molfound.nn.edge_table import EdgeGroups, EdgeTable
from molfound.nn.layers import Layer, layers

WIDTH_IN, WIDTH_OUT, EDGE_WIDTH, ROWS = 6, 5, 4, 7


def reference(layer: Layer, name: str) -> nn.Module:
    """Return torch-geometric's layer with the weights of ours."""
    if name == "gcn":
        conv = GCNConv(WIDTH_IN, WIDTH_OUT)
        conv.lin.weight, conv.bias = layer.linear.weight, layer.linear.bias
    elif name == "gin":
        conv = GINConv(layer.mlp, train_eps=True)
        conv.eps = layer.epsilon
    else:
        conv = GINEConv(layer.mlp, train_eps=True, edge_dim=EDGE_WIDTH)
        conv.eps, conv.lin = layer.epsilon, layer.edge
    return conv


OPTIONS = {"hidden": 9, "activation": "silu", "norm": "layer"}


@pytest.mark.parametrize(
    ("name", "options"), [("gcn", {}), ("gin", {}), ("gin", OPTIONS), ("gine", {}), ("gine", OPTIONS)]
)
def test_layer_and_its_gradients_equal_pyg(name: str, options: dict[str, object], batch: GraphBatch) -> None:
    torch.manual_seed(0)
    layer = layers.build(name, WIDTH_IN, WIDTH_OUT, EDGE_WIDTH, **options)
    # torch-geometric's constructor draws new weights for the perceptron that it is given.
    conv = reference(layer, name).double()
    layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    adjacency = Adjacency.of(batch)
    nodes = torch.randn(batch.num_nodes, WIDTH_IN, dtype=torch.float64, requires_grad=True)
    rows = torch.randn(ROWS, EDGE_WIDTH, dtype=torch.float64, requires_grad=True)
    table = EdgeTable(rows, EdgeGroups(torch.randint(0, ROWS, (batch.num_edges,)), ROWS))
    weights = torch.randn(batch.num_nodes, WIDTH_OUT, dtype=torch.float64)
    parameters = list(layer.parameters())

    def gradients(output: Tensor) -> tuple[Tensor | None, ...]:
        return torch.autograd.grad((output * weights).sum(), [nodes, rows, *parameters], allow_unused=name != "gine")

    ours = layer(nodes, table, adjacency)
    inputs = (nodes, batch.edge_index) if name != "gine" else (nodes, batch.edge_index, table.expand())
    theirs = conv(*inputs)
    torch.testing.assert_close(ours, theirs)
    for our, their in zip(gradients(ours), gradients(theirs), strict=True):
        torch.testing.assert_close(our, their)


def test_every_layer_is_compared_here() -> None:
    assert set(layers) == {"gcn", "gin", "gine"}
