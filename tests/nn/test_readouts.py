import pytest
import torch

from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.pair_readouts import EdgeReadout, PairReadout, node_pairs
from molfound.nn.readouts import pool, readouts
from tests.nn.graphs import BOND_SIZES

REFERENCES = {
    "sum": lambda nodes: nodes.sum(0),
    "mean": lambda nodes: nodes.mean(0),
    "max": lambda nodes: nodes.max(0).values,
}


@pytest.mark.parametrize("pooling", REFERENCES)
def test_pooling_is_the_reduction_over_each_graph(pooling: str, batch: GraphBatch) -> None:
    nodes = torch.randn(batch.num_nodes, 4, dtype=torch.float64, requires_grad=True)
    expected = torch.stack([REFERENCES[pooling](part) for part in nodes.split(batch.node_ptr.diff().tolist())])
    torch.testing.assert_close(pool(nodes, batch, pooling), expected)
    assert torch.autograd.gradcheck(lambda x: pool(x, batch, pooling), nodes)


def test_pooling_in_half_precision_sums_in_single(batch: GraphBatch) -> None:
    nodes = torch.full((batch.num_nodes, 2), 257.0).bfloat16()
    assert torch.equal(pool(nodes, batch, "sum"), nodes.float()[0] * batch.node_ptr.diff()[:, None].float())


@pytest.mark.parametrize("name", list(readouts))
@pytest.mark.parametrize("options", [{}, {"pooling": ["max", "sum"], "hidden": [7]}, {"width": 3}])
def test_readouts_give_their_width(name: str, options: dict[str, object], batch: GraphBatch) -> None:
    readout = readouts.build(name, 5, **options)
    assert readout(torch.randn(batch.num_nodes, 5), batch).shape == (batch.num_graphs, readout.width)


def test_poolings_stand_side_by_side(batch: GraphBatch) -> None:
    nodes = torch.randn(batch.num_nodes, 3)
    read = readouts.build("pool", 3, pooling=["mean", "max"])(nodes, batch)
    assert torch.equal(read, torch.cat([pool(nodes, batch, "mean"), pool(nodes, batch, "max")], dim=1))


@pytest.mark.parametrize("options", [{"pooling": []}, {"pooling": ["median"]}, {"pooling": "sum"}, {"width": 0}])
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(MolfoundError, match="readout 'pool', option"):
        readouts.check("pool", options)


def test_node_pairs_are_all_pairs_of_each_graph_row_by_row(batch: GraphBatch) -> None:
    expected = [
        (int(start) + i, int(start) + j)
        for start, size in zip(batch.node_ptr, batch.node_ptr.diff(), strict=False)
        for i in range(int(size))
        for j in range(int(size))
    ]
    assert node_pairs(batch.node_ptr).T.tolist() == [list(pair) for pair in expected]


def test_pair_and_edge_representations_do_not_know_direction(batch: GraphBatch) -> None:
    nodes = torch.randn(batch.num_nodes, 4)
    edge_readout, pair_readout = EdgeReadout(4, BOND_SIZES), PairReadout(4)
    edges = edge_readout(nodes, batch.edge_index, batch.bond_codes[batch.edge_bond])
    pairs = pair_readout(nodes, node_pairs(batch.node_ptr))
    assert edges.shape == (batch.num_edges, edge_readout.width)
    assert torch.equal(edges, edges[batch.edge_reverse])
    first, second = node_pairs(batch.node_ptr)
    number = {pair: row for row, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True))}
    turned = torch.tensor([number[j, i] for i, j in number])
    assert pairs.shape == (len(number), pair_readout.width)
    assert torch.equal(pairs, pairs[turned])


def test_edges_with_other_bonds_differ(batch: GraphBatch) -> None:
    nodes = torch.zeros(batch.num_nodes, 4)
    edges = EdgeReadout(4, BOND_SIZES)(nodes, batch.edge_index, batch.bond_codes[batch.edge_bond])
    first, other = batch.edge_bond[0], (batch.bond_codes != batch.bond_codes[batch.edge_bond[0]]).any(1).nonzero()[0, 0]
    assert not torch.allclose(edges[batch.edge_bond == first][0], edges[batch.edge_bond == other][0])
