"""Molecules cut to a part, against networkx."""

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
import torch

from molfound.chem.graphs import featurize_smiles
from molfound.data.arrays import GraphArrays, LabelArrays
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.data.coordinates import CoordinateArrays
from molfound.data.cropping import cropped
from molfound.data.views import EpochView
from molfound.encodings import compute_encoding
from molfound.errors import MolfoundError

# Chains, rings, one as large as allowed, a salt with its ion first, a lone atom.
SMILES = ["CCCCCCCCCCCCO", "c1ccc2cc3ccccc3cc2c1", "CCCCCCO", "[Na+].CC(=O)CCCCC(=O)[O-].[K+]", "C", "CCN.CCO.CCS.CCF"]
LARGEST = 7


def collection(crop: int | None = None, level: str = "graph") -> GraphCollection:
    block, rows, _ = featurize_smiles(SMILES, ["atomic_number", "degree"], ["bond_type"])
    nodes = int(block.node_ptr[-1])
    places = np.stack([np.arange(nodes), np.zeros(nodes), np.ones(nodes)], 1).astype(np.float32)
    labels = LabelArrays(
        level, ("a",), np.arange(len(rows) + 1), np.zeros(len(rows), np.int32), rows.astype(np.float32)
    )
    arrays = GraphArrays(
        block,
        rows,
        pa.array(SMILES),
        encodings=compute_encoding("random_walk", block, {"steps": 4}),
        labels={"task": labels},
        coordinates=CoordinateArrays(places, block.node_ptr, np.ones(len(rows), np.int64)),
    )
    return GraphCollection({"all": arrays}, {"task": "all"}, crop=crop)


def graph_of(batch: GraphBatch, g: int) -> nx.Graph:
    first, last = int(batch.node_ptr[g]), int(batch.node_ptr[g + 1])
    graph = nx.Graph()
    graph.add_nodes_from(range(last - first))
    edges = slice(int(batch.edge_ptr[g]), int(batch.edge_ptr[g + 1]))
    bonds = batch.bond_codes[batch.edge_bond[edges]].flatten().tolist()
    for (i, j), code in zip((batch.edge_index[:, edges] - first).T.tolist(), bonds, strict=True):
        graph.add_edge(i, j, code=code)
    return graph


@pytest.mark.parametrize("centres", [None, [12, 0, 3, 4, 0, 11]])
def test_a_part_is_the_subgraph_of_the_nearest_nodes(centres: list[int] | None) -> None:
    whole = collection().batch(range(len(SMILES)))
    part = cropped(whole, LARGEST, None if centres is None else np.array(centres))
    assert part.largest == LARGEST
    for g in range(len(SMILES)):
        before, after = graph_of(whole, g), graph_of(part, g)
        # The x of an atom is its number in the whole batch.
        kept = (part.coordinates[part.node_ptr[g] : part.node_ptr[g + 1], 0].long() - whole.node_ptr[g]).tolist()
        assert len(kept) == min(len(before), LARGEST)
        assert kept == sorted(kept)
        expected = nx.relabel_nodes(before.subgraph(kept), {node: number for number, node in enumerate(kept)})
        assert nx.utils.graphs_equal(after, expected)
        if centres is not None and len(before) > LARGEST:
            reach = nx.single_source_shortest_path_length(before, centres[g])
            distances = [reach.get(node, np.inf) for node in before]
            assert max(distances[node] for node in kept) <= min(distances[n] for n in before if n not in kept)


def test_the_middle_is_the_centre_of_the_largest_fragment() -> None:
    whole = collection().batch(range(len(SMILES)))
    part = cropped(whole, 3)
    kept = (part.coordinates[:, 0].long() - whole.node_ptr[part.node_graph]).split(part.node_ptr.diff().tolist())
    chain = nx.path_graph(13)
    assert nx.center(chain) == [6]
    assert kept[0].tolist() == [5, 6, 7]
    assert set(kept[3].tolist()) < set(range(1, 11))


def test_what_belongs_to_nodes_and_edges_goes_with_them() -> None:
    whole = collection().batch(range(len(SMILES)))
    part = cropped(whole, LARGEST)
    kept = part.coordinates[:, 0].long()
    assert torch.equal(part.node_codes, whole.node_codes[kept])
    for name, values in whole.encodings.items():
        assert torch.equal(part.encodings[name], values[kept])
    assert torch.equal(part.node_graph, torch.repeat_interleave(part.node_ptr.diff()))
    assert torch.equal(part.edge_index[:, part.edge_reverse], part.edge_index.flip(0))
    assert torch.equal(part.edge_bond[part.edge_reverse], part.edge_bond)
    assert part.bond_ptr[-1] == len(part.bond_codes)
    assert torch.equal(part.edge_ptr, 2 * part.bond_ptr)
    assert bool((part.edge_index[1].diff() >= 0).all())
    assert torch.equal(part.labels["task"], whole.labels["task"])


def test_small_molecules_are_left_alone() -> None:
    whole = collection().batch([2, 4])
    assert cropped(whole, LARGEST) is whole


def test_a_collection_cuts_the_same_wherever_a_molecule_stands() -> None:
    graphs = collection(crop=LARGEST)
    nodes, edges = graphs.sizes
    assert nodes.max() == LARGEST
    assert (edges == graphs.edge_ptr.diff().numpy()).all()
    seen = set()
    for epoch in range(8):
        view = EpochView(1, epoch)
        together, alone = graphs.batch(range(len(SMILES)), view), graphs.batch([0], view)
        assert together.largest == LARGEST
        first = together.coordinates[: together.node_ptr[1], 0].tolist()
        assert alone.coordinates[:, 0].tolist() == first
        seen.add(tuple(first))
    assert len(seen) > 1
    assert torch.equal(graphs.batch([0]).coordinates, graphs.batch([0]).coordinates)


def test_labels_of_what_is_cut_off_are_refused() -> None:
    with pytest.raises(MolfoundError, match=r"data.crop cuts off what task 'task' predicts, which is of level node"):
        collection(crop=LARGEST, level="node")
