import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molfound.encodings import encodings, random_walk
from molfound.errors import MolfoundError
from tests.encodings.graphs import SMILES, block_of_graphs, block_of_smiles, graphs_of


def dense(graph: nx.Graph, steps: int) -> np.ndarray:
    """Return the diagonals of the powers of the transition matrix."""
    adjacency = nx.to_numpy_array(graph, nodelist=range(len(graph)))
    degree = adjacency.sum(axis=1, keepdims=True)
    transition = np.divide(adjacency, degree, out=np.zeros_like(adjacency), where=degree > 0)
    powers = [np.linalg.matrix_power(transition, step) for step in range(1, steps + 1)]
    return np.stack([np.diag(power) for power in powers], axis=1)


@pytest.mark.parametrize("steps", [1, 2, 3, 16, 33])
def test_equals_dense_reference(steps):
    block = block_of_smiles(*SMILES.values())
    probabilities = random_walk(block, steps=steps)["probabilities"]
    expected = np.concatenate([dense(graph, steps) for graph in graphs_of(block)])
    np.testing.assert_allclose(probabilities, expected, atol=1e-14)


@given(st.integers(1, 12), st.floats(0, 1), st.integers(0, 1000), st.integers(1, 20))
def test_any_graph(size, density, seed, steps):
    graph = nx.gnp_random_graph(size, density, seed=seed)
    probabilities = random_walk(block_of_graphs([graph]), steps=steps)["probabilities"]
    np.testing.assert_allclose(probabilities, dense(graph, steps), atol=1e-14)


def test_isolated_atoms_never_return():
    probabilities = random_walk(block_of_smiles("CC.[Cl-]"), steps=4)["probabilities"]
    np.testing.assert_allclose(probabilities, [[0, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0]], atol=1e-15)


def test_bond_orders_do_not_weigh():
    single, double = (random_walk(block_of_smiles(smiles))["probabilities"] for smiles in ("CC(C)C", "C=C(C)C"))
    np.testing.assert_array_equal(single, double)


def test_options_are_checked():
    with pytest.raises(MolfoundError, match="greater than or equal to 1"):
        encodings.check("random_walk", {"steps": 0})
