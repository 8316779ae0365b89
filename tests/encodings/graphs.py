"""Graphs to encode: the degenerate ones among molecules, and blocks made from any networkx graph."""

from collections.abc import Sequence

import networkx as nx
import numpy as np

from molfound.chem import GraphBlock, featurize_smiles
from molfound.chem.edges import directed_edges

C60 = (
    "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10c5c5c1c1c6c6c%11c2c2c7c3c3c8"
    "c4c4c9c5c1c1c6c2c3c41"
)
SMILES = {
    "methane": "C",
    "salt": "[Na+].[Cl-]",
    "ethanol": "CCO",
    "benzene": "c1ccccc1",
    "cubane": "C12C3C4C1C5C2C3C45",
    "neopentane": "CC(C)(C)C",
    "C60": C60,
    "biphenyl": "c1ccc(-c2ccccc2)cc1",
    "caffeine": "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "two benzenes": "c1ccccc1.c1ccccc1",
    "betaine hydrochloride": "C[N+](C)(C)CC(=O)O.[Cl-]",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "adamantane": "C1C2CC3CC1CC(C2)C3",
    "penicillin": "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O",
    "steroid": "C[C@]12CC[C@H]3[C@H]([C@@H]1CC[C@@H]2O)CCC4=CC(=O)CC[C@]34C",
    "perfluorohexane": "FC(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)(F)F",
}


def block_of_smiles(*smiles: str) -> GraphBlock:
    """Return the graphs of SMILES, without features."""
    block, kept, _ = featurize_smiles(smiles, [], [])
    assert len(kept) == len(smiles)
    return block


def block_of_graphs(graphs: Sequence[nx.Graph]) -> GraphBlock:
    """Return a block of graphs whose nodes are 0 … n-1."""
    sizes = [graph.number_of_nodes() for graph in graphs]
    bonds = [graph.number_of_edges() for graph in graphs]
    ends = np.array([ends for graph in graphs for ends in graph.edges], dtype=np.uint16).reshape(-1, 2)
    node_ptr, bond_ptr = np.cumsum([0, *sizes]), np.cumsum([0, *bonds])
    return GraphBlock(
        node_ptr=node_ptr,
        edge_ptr=2 * bond_ptr,
        bond_ptr=bond_ptr,
        node_codes=np.zeros((sum(sizes), 0), dtype=np.uint8),
        bond_codes=np.zeros((sum(bonds), 0), dtype=np.uint8),
        edges=directed_edges(ends[:, 0], ends[:, 1], node_ptr, bond_ptr),
    )


def graphs_of(block: GraphBlock) -> list[nx.Graph]:
    """Return the graphs of a block, nodes by local number."""
    graphs = []
    for number in range(block.graph_count):
        graph = nx.empty_graph(int(block.node_ptr[number + 1] - block.node_ptr[number]))
        edges = slice(block.edge_ptr[number], block.edge_ptr[number + 1])
        graph.add_edges_from(zip(block.edge_source[edges].tolist(), block.edge_target[edges].tolist(), strict=True))
        graphs.append(graph)
    return graphs
