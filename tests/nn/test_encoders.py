"""Every registered encoder with every registered layer: what a molecule yields is its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.aggregation import Adjacency
from molfound.nn.edge_table import EdgeTable
from molfound.nn.encoders import Encoder, encoders
from molfound.nn.encoders.gnn import GNN
from molfound.nn.layers import layers
from molfound.nn.layers.layer import Layer
from molfound.nn.readouts import readouts
from tests.nn.graphs import ENCODERS, Graph, collate, encoder_inputs, no_molecule, random_graph

TWO_TRACK = {
    "depth": 2,
    "width": 16,
    "heads": 2,
    "pair_width": 12,
    "pair_hidden": 4,
    "gaussians": 8,
    "init": "unimol2",
}
CASES: list[tuple[str, dict[str, Any]]] = [
    *(("gnn", {"layer": layer, "width": 24, "depth": 3}) for layer in layers),
    ("gnn", {"layer": "gine", "width": 16, "depth": 2, "norm": "batch", "dropout": 0.3, "activation": "relu"}),
    ("gnn", {"layer": {"name": "gin", "hidden": 20}, "width": 16, "depth": 2, "norm": "none", "residual": False}),
    ("two_track", TWO_TRACK),
    ("two_track", TWO_TRACK | {"graph": "readout", "pair_type": "element", "checkpointing": True, "drop_path": 0.1}),
]


@pytest.fixture(params=CASES, ids=str)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    name, options = request.param
    torch.manual_seed(0)
    built: Encoder = encoders.build(name, encoder_inputs(16, {} if name == "two_track" else ENCODERS), **options)
    return built


def test_every_encoder_is_tested_here() -> None:
    assert {name for name, _ in CASES} == set(encoders)


def test_levels_have_the_widths_that_the_encoder_tells(encoder: Encoder, batch: GraphBatch) -> None:
    made, rows = encoder(batch), {"nodes": batch.num_nodes, "edges": batch.num_edges, "graphs": batch.num_graphs}
    for level, count in rows.items():
        values, width = getattr(made, level), getattr(encoder.widths, level)
        assert (values is None) == (width is None)
        assert values is None or values.shape == (count, width)
    assert made.nodes.isfinite().all()


@torch.no_grad()
def test_a_molecule_yields_the_same_alone_and_in_any_batch(encoder: Encoder, graphs: list[Graph]) -> None:
    encoder.eval()
    together = encoder(collate(graphs)).nodes
    turned = encoder(collate(graphs[::-1])).nodes
    start, end = 0, len(turned)
    for graph in graphs:
        size = len(graph.codes)
        torch.testing.assert_close(encoder(collate([graph])).nodes, together[start : start + size], atol=1e-5, rtol=0)
        torch.testing.assert_close(turned[end - size : end], together[start : start + size], atol=1e-5, rtol=0)
        start, end = start + size, end - size


@torch.no_grad()
def test_permuted_nodes_yield_permuted_representations(encoder: Encoder, graphs: list[Graph]) -> None:
    encoder.eval()
    rng = np.random.default_rng(3)
    orders = [rng.permutation(len(graph.codes)) for graph in graphs]
    batch = collate(graphs)
    permuted = collate([graph.permuted(order) for graph, order in zip(graphs, orders, strict=True)])
    order = torch.from_numpy(np.concatenate([o + int(s) for o, s in zip(orders, batch.node_ptr, strict=False)]))
    nodes, permuted_nodes = encoder(batch).nodes, encoder(permuted).nodes
    torch.testing.assert_close(permuted_nodes, nodes[order], atol=1e-5, rtol=0)
    for pooling in ("sum", "mean", "max"):
        readout = readouts.build("pool", encoder.widths.nodes, pooling=[pooling])
        torch.testing.assert_close(readout(permuted_nodes, permuted), readout(nodes, batch), atol=1e-5, rtol=1e-5)


def test_a_batch_of_no_molecule_yields_nothing_and_adds_nothing(encoder: Encoder, graphs: list[Graph]) -> None:
    made = encoder(no_molecule(collate(graphs)))
    assert made.nodes.shape == (0, encoder.widths.nodes)
    (made.nodes.sum() + sum(values.sum() for values in (made.graphs, made.edges) if values is not None)).backward()
    assert all(p.grad is None or not p.grad.any() for p in encoder.parameters())


def test_atoms_without_bonds_train(encoder: Encoder) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 4):
        encoder.train()(collate([random_graph(rng, 1) for _ in range(count)])).nodes.sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_half_precision_trains_and_stays_near_single(encoder: Encoder, batch: GraphBatch) -> None:
    single = encoder.eval()(batch).nodes
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder(batch).nodes
    half.float().sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in encoder.parameters())
    assert (half.float() - single).norm() < 0.05 * single.norm()


def test_compiled_for_any_batch_it_gives_the_same(encoder: Encoder, graphs: list[Graph]) -> None:
    torch._dynamo.reset()
    compilations: list[object] = []

    def backend(module: torch.fx.GraphModule, _: object) -> Callable[..., Any]:
        compilations.append(module)
        return module.forward

    encoder.eval()
    compiled = torch.compile(encoder, backend=backend, dynamic=True, fullgraph=True)
    # Seven graphs first: a number that is none of the widths, which torch would take for the same unknown.
    for some in (graphs + graphs[:1], graphs[:4], graphs[1:]):
        torch.testing.assert_close(compiled(collate(some)).nodes, encoder(collate(some)).nodes, atol=1e-5, rtol=1e-5)
    assert len(compilations) == 1


def test_the_loss_of_a_fixed_batch_goes_down(encoder: Encoder, batch: GraphBatch) -> None:
    torch.manual_seed(4)
    target = torch.randn(batch.num_nodes)
    head = torch.nn.Linear(encoder.widths.nodes, 1)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=3e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (head(encoder(batch).nodes)[:, 0] - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("layer", list(layers))
def test_every_parameter_gets_a_gradient(layer: str, batch: GraphBatch) -> None:
    encoder = GNN(encoder_inputs(), layer=layer, depth=2, width=16)
    encoder(batch).nodes.square().sum().backward()
    assert not [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize("options", [{"norm": "layer", "activation": "relu"}, {"norm": "batch"}])
def test_quietened_blocks_change_little_and_learn(options: dict[str, Any], batch: GraphBatch) -> None:
    torch.manual_seed(0)
    encoder = GNN(encoder_inputs(16), depth=2, width=24, **options)
    encoder.quieten(1)
    before, after = encoder(batch, 1).nodes, encoder(batch).nodes
    assert 0 < (after - before).norm() < 0.05 * before.norm()
    (after - before).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.blocks[1].parameters())
    assert sum(int(p.grad.count_nonzero()) for p in encoder.blocks[1].parameters() if p.grad is not None) > 0


def test_bonds_and_encodings_reach_the_nodes(graphs: list[Graph]) -> None:
    encoder = GNN(encoder_inputs(), layer="gine", depth=2, width=16).eval()
    batch, plain = collate(graphs), encoder(collate(graphs)).nodes
    batch.bond_codes[:] = (batch.bond_codes + 1) % 3
    assert not torch.allclose(encoder(batch).nodes, plain)
    for part in batch.encodings:
        other = collate(graphs)
        other.encodings[part].mul_(0.5)
        assert not torch.allclose(encoder(other).nodes, plain), part


def test_misspelt_layers_and_options_are_named() -> None:
    with pytest.raises(MolfoundError, match="unknown layer 'ginee'; did you mean 'gine'"):
        GNN(encoder_inputs(), layer="ginee")
    with pytest.raises(MolfoundError, match="layer 'gin' has no option 'hiden'; did you mean 'hidden'"):
        GNN(encoder_inputs(), layer={"name": "gin", "hiden": 3})
    with pytest.raises(MolfoundError, match="encoder 'gnn', option 'norm'"):
        encoders.check("gnn", {"norm": "group"})


class Passing(Layer):
    """Hands its input on, as a plugin's layer may."""

    def forward(self, nodes: Tensor, edges: EdgeTable, adjacency: Adjacency) -> Tensor:
        return nodes


class Saturating(Layer):
    """Keeps its output for the gradient, as a plugin's layer may."""

    def forward(self, nodes: Tensor, edges: EdgeTable, adjacency: Adjacency) -> Tensor:
        return nodes.tanh()


@pytest.mark.parametrize(("layer", "function"), [(Passing, lambda x: x), (Saturating, torch.tanh)])
def test_an_activation_leaves_a_layer_s_output_alone(
    layer: type[Layer], function: Callable[[Tensor], Tensor], batch: GraphBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(layers._components, "own", layer)
    encoder = GNN(encoder_inputs(16), layer="own", depth=1, width=16, norm="none", activation="relu")
    nodes, inputs = encoder(batch).nodes, encoder.inputs
    given = inputs(batch)
    expected = given + function(given).relu()
    torch.testing.assert_close(nodes, expected)
    ours, theirs = (
        torch.autograd.grad(values.square().sum(), list(inputs.parameters())) for values in (nodes, expected)
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("layer", [{"hidden": 192}, "", {"name": 3}])
def test_a_layer_without_a_name_is_told(layer: Any) -> None:
    with pytest.raises(MolfoundError, match=r"encoder 'gnn', option 'layer': .*\{name: NAME, option: value\}"):
        encoders.build("gnn", encoder_inputs(16, {}), layer=layer)
