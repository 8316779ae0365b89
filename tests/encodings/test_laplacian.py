import networkx as nx
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from molfound.encodings import encodings, laplacian
from molfound.errors import MolfoundError
from tests.encodings.graphs import SMILES, block_of_graphs, block_of_smiles, graphs_of

MATRIX = {"none": nx.laplacian_matrix, "symmetric": nx.normalized_laplacian_matrix}


def dense(graph: nx.Graph, pairs: int, normalization: str) -> tuple[np.ndarray, np.ndarray]:
    """Return magnitudes and eigenvalues by way of the projection matrix onto each eigenspace."""
    size = graph.number_of_nodes()
    matrix = MATRIX[normalization](graph, nodelist=range(size)).toarray().astype(float)
    values, vectors = scipy.linalg.eigh(matrix)
    magnitudes = np.full((size, pairs), np.nan)
    for pair in range(min(pairs, size)):
        space = vectors[:, np.abs(values - values[pair]) < 1e-5]
        projection = space @ space.T
        magnitudes[:, pair] = np.sqrt(np.maximum(np.diag(projection), 0.0) / space.shape[1])
    eigenvalues = np.full(pairs, np.nan)
    eigenvalues[: min(pairs, size)] = values[:pairs]
    return magnitudes, eigenvalues


@pytest.mark.parametrize("normalization", MATRIX)
@pytest.mark.parametrize("pairs", [1, 8, 70])
def test_equals_dense_reference(normalization, pairs):
    block = block_of_smiles(*SMILES.values())
    encoded = laplacian(block, pairs=pairs, normalization=normalization)
    for number, graph in enumerate(graphs_of(block)):
        magnitudes, eigenvalues = dense(graph, pairs, normalization)
        nodes = slice(block.node_ptr[number], block.node_ptr[number + 1])
        # The square root turns rounding noise of 1e-16 around 0 into 1e-8.
        np.testing.assert_allclose(encoded["magnitudes"][nodes], magnitudes, atol=1e-7)
        np.testing.assert_allclose(encoded["eigenvalues"][number], eigenvalues, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "eigenvalues"),
    [
        ("benzene", [0, 1, 1, 3, 3, 4]),
        ("cubane", [0, 2, 2, 2, 4, 4, 4, 6]),
        ("C60", [0, *[0.2434017] * 3, *[(5 - 13**0.5) / 2] * 4]),
    ],
)
def test_atoms_that_symmetry_makes_equal_have_equal_magnitudes(name, eigenvalues):
    block = block_of_smiles(SMILES[name])
    encoded = laplacian(block, pairs=len(eigenvalues))
    np.testing.assert_allclose(encoded["eigenvalues"][0], eigenvalues, atol=1e-6)
    np.testing.assert_allclose(encoded["magnitudes"], 1 / np.sqrt(block.node_count), atol=1e-12)


def test_neopentane_s_threefold_space():
    encoded = laplacian(block_of_smiles(SMILES["neopentane"]), pairs=5)
    np.testing.assert_allclose(encoded["eigenvalues"][0], [0, 1, 1, 1, 5], atol=1e-12)
    centre, methyl = encoded["magnitudes"][1], encoded["magnitudes"][0]
    # The space of eigenvalue 1 holds what sums to zero over the four methyl groups: projection 3/4, over 3 dimensions.
    np.testing.assert_allclose(methyl, [0.2**0.5, 0.5, 0.5, 0.5, 0.05**0.5], atol=1e-12)
    np.testing.assert_allclose(centre, [0.2**0.5, 0, 0, 0, 0.8**0.5], atol=1e-7)


def test_a_space_is_not_cut_at_the_last_pair():
    block = block_of_smiles(SMILES["cubane"])
    few, many = laplacian(block, pairs=2), laplacian(block, pairs=8)
    np.testing.assert_array_equal(few["magnitudes"], many["magnitudes"][:, :2])


def test_pairs_beyond_the_nodes_are_nan_and_isolated_atoms_have_eigenvalue_zero():
    for normalization in ("none", "symmetric"):
        encoded = laplacian(block_of_smiles("C", "[Na+].[Cl-]"), pairs=3, normalization=normalization)
        np.testing.assert_array_equal(encoded["eigenvalues"], [[0, np.nan, np.nan], [0, 0, np.nan]])
        np.testing.assert_allclose(encoded["magnitudes"][0], [1, np.nan, np.nan])
        np.testing.assert_allclose(encoded["magnitudes"][1:], [[0.5**0.5, 0.5**0.5, np.nan]] * 2)


@st.composite
def graphs(draw: st.DrawFn) -> nx.Graph:
    size = draw(st.integers(1, 9))
    pairs = [(i, j) for i in range(size) for j in range(i)]
    graph = nx.empty_graph(size)
    graph.add_edges_from(draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else [])
    return graph


@given(st.lists(graphs(), max_size=4), st.randoms(use_true_random=False), st.sampled_from(sorted(MATRIX)))
def test_any_graph_in_any_numbering(some_graphs, random, normalization):
    orders = [random.sample(range(len(graph)), len(graph)) for graph in some_graphs]
    renumbered = [
        nx.relabel_nodes(graph, dict(zip(order, range(len(order)), strict=True)))
        for graph, order in zip(some_graphs, orders, strict=True)
    ]
    first, second = (
        laplacian(block_of_graphs(of), pairs=6, normalization=normalization) for of in (some_graphs, renumbered)
    )
    starts = np.cumsum([0, *map(len, some_graphs)])
    index = np.array([s + i for s, order in zip(starts[:-1], orders, strict=True) for i in order], dtype=int)
    np.testing.assert_allclose(first["magnitudes"][index], second["magnitudes"], atol=1e-7)
    np.testing.assert_allclose(first["eigenvalues"], second["eigenvalues"], atol=1e-12)
    for number, graph in enumerate(some_graphs):
        nodes = slice(starts[number], starts[number + 1])
        np.testing.assert_allclose(first["magnitudes"][nodes], dense(graph, 6, normalization)[0], atol=1e-7)


@pytest.mark.parametrize(
    ("options", "message"), [({"pairs": 0}, "greater than or equal to 1"), ({"normalization": "rw"}, "'rw'")]
)
def test_options_are_checked(options, message):
    with pytest.raises(MolfoundError, match=message):
        encodings.check("laplacian", options)
