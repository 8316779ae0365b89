import networkx as nx
import numpy as np
import pytest

from molfound.encodings.by_size import batches_by_size
from tests.encodings.graphs import SMILES, block_of_graphs, block_of_smiles, graphs_of


@pytest.mark.parametrize("max_entries", [1, 100, 2**18])
def test_every_graph_occurs_once_with_its_own_adjacency(max_entries):
    block = block_of_smiles(*SMILES.values(), *reversed(SMILES.values()))
    graphs = graphs_of(block)
    seen = []
    for batch in batches_by_size(block, max_entries=max_entries):
        size = batch.adjacency.shape[1]
        assert batch.adjacency.size <= max(max_entries, size**2)
        for number, nodes, adjacency in zip(batch.graphs.tolist(), batch.nodes, batch.adjacency, strict=True):
            np.testing.assert_array_equal(adjacency, nx.to_numpy_array(graphs[number], nodelist=range(size)))
            assert nodes.tolist() == list(range(block.node_ptr[number], block.node_ptr[number + 1]))
            seen.append(number)
    assert sorted(seen) == list(range(block.graph_count))


def test_graphs_without_nodes_and_blocks_without_graphs_are_passed_over():
    block = block_of_graphs([nx.empty_graph(0), nx.path_graph(2), nx.empty_graph(0)])
    assert [batch.graphs.tolist() for batch in batches_by_size(block)] == [[1]]
    assert list(batches_by_size(block_of_graphs([]))) == []
