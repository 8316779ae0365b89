from math import prod

import pytest
import torch
import torch.nn.functional as F

from molfound.config.component import Component
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn import aggregation
from molfound.nn import inputs as inputs_module
from molfound.nn.encoding_encoders import encoding_encoders
from molfound.nn.inputs import BondFeatures, CodeEmbedding, InputNetwork
from tests.nn.graphs import ATOM_SIZES, BOND_SIZES, ENCODINGS, PAIRS, Graph, collate, encoder_inputs


@pytest.fixture(params=[True, False], ids=["packed", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums taken packed, as on a CPU, and the plain way, as on a GPU."""
    monkeypatch.setattr(aggregation, "_packed", lambda values: request.param)


@pytest.mark.usefixtures("way")
def test_code_embedding_is_one_hot_and_a_linear_map(batch: GraphBatch) -> None:
    embedding = CodeEmbedding(ATOM_SIZES, 8)
    columns = zip(batch.node_codes.long().T, ATOM_SIZES, strict=True)
    one_hot = torch.cat([F.one_hot(codes, size) for codes, size in columns], dim=1).float()
    torch.testing.assert_close(embedding(batch.node_codes), one_hot @ embedding.weight)


@pytest.mark.usefixtures("way")
def test_code_embedding_takes_codes_without_features() -> None:
    assert torch.equal(CodeEmbedding([], 3)(torch.empty(2, 0, dtype=torch.uint8)), torch.zeros(2, 3))


def test_bond_features_are_the_same_listed_or_per_bond(batch: GraphBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = BondFeatures(BOND_SIZES, 6)
    monkeypatch.setattr(inputs_module, "MAX_DISTINCT_BONDS", 1)
    per_bond = BondFeatures(BOND_SIZES, 6)
    per_bond.load_state_dict(listed.state_dict())
    assert listed(batch).rows.shape[0] == prod(BOND_SIZES)
    assert per_bond(batch).rows.shape[0] == batch.bond_codes.shape[0]
    torch.testing.assert_close(per_bond(batch).expand(), listed(batch).expand())


def test_edges_of_molecules_without_bond_features_are_alike(graphs: list[Graph]) -> None:
    batch = collate([Graph(g.codes, g.bonds, g.bond_codes[:, :0], g.parts) for g in graphs])
    expanded = BondFeatures([], 4)(batch).expand()
    assert expanded.shape == (batch.num_edges, 4)
    assert torch.equal(expanded, expanded[:1].expand_as(expanded))


def test_a_network_without_encodings_reads_codes_only(batch: GraphBatch) -> None:
    network = InputNetwork(encoder_inputs(8, {}))
    batch.encodings.clear()
    assert network(batch).shape == (batch.num_nodes, 8)


def test_absent_eigenpairs_add_nothing(batch: GraphBatch) -> None:
    encoder = encoding_encoders.build("deepset", "laplacian", ENCODINGS["laplacian"], width=5)
    eigenvalues = batch.encodings["laplacian.eigenvalues"][batch.node_graph]
    magnitudes = batch.encodings["laplacian.magnitudes"]
    expected = []
    for values, sizes in zip(eigenvalues, magnitudes, strict=True):
        pairs = [torch.stack(pair) for pair in zip(values, sizes, strict=True) if not torch.stack(pair).isnan().any()]
        expected.append(encoder.out(sum(torch.relu(encoder.pair(pair)) for pair in pairs)))
    encoded = encoder(batch)
    torch.testing.assert_close(encoded, torch.stack(expected))
    encoded.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())
    assert magnitudes.isnan().any()


def test_the_order_of_eigenpairs_does_not_matter(batch: GraphBatch) -> None:
    encoder = encoding_encoders.build("deepset", "laplacian", ENCODINGS["laplacian"])
    before = encoder(batch)
    for part in ENCODINGS["laplacian"]:
        batch.encodings[f"laplacian.{part}"] = batch.encodings[f"laplacian.{part}"].flip(1)
    torch.testing.assert_close(encoder(batch), before)


@pytest.mark.parametrize("name", list(encoding_encoders))
def test_every_encoding_encoder_gives_finite_features_of_its_width(name: str, batch: GraphBatch) -> None:
    encoder = encoding_encoders.build(name, "laplacian", ENCODINGS["laplacian"], width=7)
    encoded = encoder(batch)
    assert encoded.shape == (batch.num_nodes, encoder.width) == (batch.num_nodes, 7)
    assert encoded.isfinite().all()


def test_encoding_encoders_refuse_what_does_not_fit() -> None:
    with pytest.raises(MolfoundError, match="needs the parts 'eigenvalues' and 'magnitudes'; encoding 'random_walk'"):
        encoding_encoders.build("deepset", "random_walk", ENCODINGS["random_walk"])
    chosen = {"laplacian": Component("deepst")}
    with pytest.raises(MolfoundError, match="unknown encoding encoder 'deepst'; did you mean 'deepset'"):
        InputNetwork(encoder_inputs(8, chosen))
    assert ENCODINGS["laplacian"]["magnitudes"].width == PAIRS


def test_widths_are_those_told(batch: GraphBatch) -> None:
    network = InputNetwork(encoder_inputs(10))
    assert network(batch).shape == (batch.num_nodes, network.node_width) == (batch.num_nodes, 10)
    edges = BondFeatures(network.bond_sizes, network.edge_width)(batch)
    assert edges.expand().shape == (batch.num_edges, network.edge_width) == (batch.num_edges, 5)
