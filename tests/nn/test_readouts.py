import pytest
import torch

from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.pair_readouts import EdgeReadout, PairReadout, node_pairs
from molfound.nn.readouts import pool, readouts, softmax
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


CASES: list[tuple[str, dict[str, object]]] = [
    ("pool", {}),
    ("pool", {"pooling": ["max", "sum"], "hidden": [7]}),
    ("pool", {"width": 3}),
    ("attention", {}),
    ("attention", {"heads": 3, "width": 6, "dropout": 0.5}),
]


def test_every_readout_has_a_case() -> None:
    assert {name for name, _ in CASES} == set(readouts)


@pytest.mark.parametrize(("name", "options"), CASES)
class TestEveryReadout:
    def test_it_gives_its_width(self, name: str, options: dict[str, object], batch: GraphBatch) -> None:
        readout = readouts.build(name, 8, **options)
        assert readout(torch.randn(batch.num_nodes, 8), batch).shape == (batch.num_graphs, readout.width)

    def test_a_graph_is_read_from_its_own_nodes_in_any_order(
        self, name: str, options: dict[str, object], batch: GraphBatch
    ) -> None:
        readout = readouts.build(name, 8, **options).double().eval()
        nodes = torch.randn(batch.num_nodes, 8, dtype=torch.float64)
        read = readout(nodes, batch)
        for g in range(batch.num_graphs):
            others = torch.randn_like(nodes)
            own = batch.node_graph == g
            others[own] = nodes[own][torch.randperm(int(own.sum()))]
            torch.testing.assert_close(readout(others, batch)[g], read[g])


def test_the_weights_of_attention_are_a_softmax_over_each_graph(batch: GraphBatch) -> None:
    scores = (100 * torch.randn(batch.num_nodes, 3, dtype=torch.float64)).requires_grad_()
    expected = torch.cat([part.softmax(0) for part in scores.split(batch.node_ptr.diff().tolist())])
    torch.testing.assert_close(softmax(scores, batch), expected)
    assert torch.autograd.gradcheck(lambda x: softmax(x / 100, batch), scores)


def test_attention_weights_values_by_scores(batch: GraphBatch) -> None:
    readout = readouts.build("attention", 4, heads=2)
    nodes = torch.randn(batch.num_nodes, 4)
    part = nodes[batch.node_graph == 1]
    weights, values = readout.score(part).softmax(0), readout.value(part)
    expected = torch.cat([weights[:, 0] @ values[:, :2], weights[:, 1] @ values[:, 2:]])
    torch.testing.assert_close(readout(nodes, batch)[1], expected)


def test_attention_in_half_precision_sums_in_single(batch: GraphBatch) -> None:
    scores = torch.randn(batch.num_nodes, 2).bfloat16()
    torch.testing.assert_close(softmax(scores, batch), softmax(scores.float(), batch))


def test_poolings_stand_side_by_side(batch: GraphBatch) -> None:
    nodes = torch.randn(batch.num_nodes, 3)
    read = readouts.build("pool", 3, pooling=["mean", "max"])(nodes, batch)
    assert torch.equal(read, torch.cat([pool(nodes, batch, "mean"), pool(nodes, batch, "max")], dim=1))


@pytest.mark.parametrize("options", [{"pooling": []}, {"pooling": ["median"]}, {"pooling": "sum"}, {"width": 0}])
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(MolfoundError, match="readout 'pool', option"):
        readouts.check("pool", options)


def test_heads_that_cannot_share_the_width_are_refused() -> None:
    with pytest.raises(MolfoundError, match="3 heads cannot share a width of 8 evenly"):
        readouts.build("attention", 8, heads=3)


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
