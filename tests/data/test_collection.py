"""Batches hold exactly the molecules asked for, as RDKit and a molecule-by-molecule construction see them."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from rdkit import Chem
from torch_geometric.data import Batch

from molfound.chem.graphs import featurize_smiles
from molfound.data.arrays import GraphArrays, LabelArrays
from molfound.data.batch import GraphBatch
from molfound.data.collection import GraphCollection
from molfound.data.loader import evaluation_batches
from molfound.data.sampler import BatchLimits
from molfound.encodings import compute_encoding
from molfound.errors import MolfoundError

FIRST = ["CCO", "c1ccccc1", "[Na+].[Cl-]", "C", "C#N"]
SECOND = ["CC(=O)O", "N", "c1ccc2[nH]ccc2c1"]
ATOMS, BONDS = ["atomic_number", "charge", "hydrogens"], ["bond_type", "conjugated"]


def arrays(smiles: list[str], labels: dict[str, LabelArrays], weights: np.ndarray | None = None) -> GraphArrays:
    block, kept, rejected = featurize_smiles(smiles, ATOMS, BONDS)
    assert not rejected
    encodings = compute_encoding("laplacian", block, {"pairs": 3}) | compute_encoding(
        "random_walk", block, {"steps": 4}
    )
    return GraphArrays(block, 10 * kept, pa.array(smiles), encodings, labels, weights)


def node_labels(smiles: list[str]) -> LabelArrays:
    """Two labels per atom: the atomic number, and its mass on odd atoms only."""
    index, values, ptr = [], [], [0]
    for text in smiles:
        for atom in Chem.MolFromSmiles(text).GetAtoms():
            index.append(2 * atom.GetIdx())
            values.append(atom.GetAtomicNum())
            if atom.GetIdx() % 2:
                index.append(2 * atom.GetIdx() + 1)
                values.append(atom.GetMass())
        ptr.append(len(index))
    return LabelArrays("node", ("z", "mass"), np.array(ptr), np.array(index, np.int32), np.array(values, np.float32))


@pytest.fixture(scope="module")
def collection() -> GraphCollection:
    graph = LabelArrays(
        "graph",
        ("a", "b", "c"),
        np.array([0, 2, 2, 3, 6, 6]),
        np.array([0, 2, 1, 0, 1, 2], np.int32),
        np.arange(1, 7, dtype=np.float32),
    )
    return GraphCollection(
        {
            "first": arrays(FIRST, {"task": graph}, np.arange(5, dtype=np.float32)),
            "second": arrays(SECOND, {"atoms": node_labels(SECOND)}),
        },
        {"task": "first", "atoms": "second"},
    )


def test_a_batch_holds_the_atoms_and_bonds_of_its_molecules(collection: GraphCollection) -> None:
    batch = collection.batch([6, 0, 3, 5, 2])
    molecules = [Chem.MolFromSmiles(text) for text in ("CCO", "[Na+].[Cl-]", "C", "CC(=O)O", "N")]
    assert batch.datasets == {"first": (0, 3), "second": (3, 5)}
    assert batch.rows.tolist() == [0, 20, 30, 0, 10]
    assert batch.node_ptr.diff().tolist() == [mol.GetNumAtoms() for mol in molecules]
    offset, expected = 0, set()
    for mol in molecules:
        for bond in mol.GetBonds():
            begin, end = bond.GetBeginAtomIdx() + offset, bond.GetEndAtomIdx() + offset
            expected |= {(begin, end), (end, begin)}
        offset += mol.GetNumAtoms()
    edges = list(map(tuple, batch.edge_index.t().tolist()))
    assert len(edges) == len(expected)
    assert set(edges) == expected
    assert edges == sorted(edges, key=lambda edge: (edge[1], edge[0]))
    assert [edges[i] for i in batch.edge_reverse] == [(target, source) for source, target in edges]


def test_a_batch_is_its_molecules_one_by_one(collection: GraphCollection) -> None:
    singles = [collection.batch([position]) for position in (1, 4, 5, 7)]
    batch = collection.batch([7, 5, 4, 1])
    assert torch.equal(batch.node_codes, torch.cat([single.node_codes for single in singles]))
    assert torch.equal(batch.bond_codes[batch.edge_bond], torch.cat([s.bond_codes[s.edge_bond] for s in singles]))
    for part, values in batch.encodings.items():
        whole = torch.cat([single.encodings[part] for single in singles])
        assert torch.equal(values.nan_to_num(-1), whole.nan_to_num(-1))
        assert values.dtype == torch.float32
    assert batch.node_graph.tolist() == [g for g, s in enumerate(singles) for _ in range(s.num_nodes)]


def test_labels_are_dense_with_nan_where_missing(collection: GraphCollection) -> None:
    nan = float("nan")
    labels = collection.batch([4, 3, 0, 2]).labels
    assert list(labels) == ["task"]
    expected = torch.tensor([[1, nan, 2], [nan, 3, nan], [4, 5, 6], [nan, nan, nan]])
    assert torch.equal(labels["task"].nan_to_num(-1), expected.nan_to_num(-1))


def test_node_labels_follow_their_atoms(collection: GraphCollection) -> None:
    batch = collection.batch([0, 7, 5])
    atoms = [atom for text in ("CC(=O)O", "c1ccc2[nH]ccc2c1") for atom in Chem.MolFromSmiles(text).GetAtoms()]
    expected = [[a.GetAtomicNum(), a.GetMass() if a.GetIdx() % 2 else -1] for a in atoms]
    assert torch.allclose(batch.labels["atoms"].nan_to_num(-1), torch.tensor(expected, dtype=torch.float32))


def test_weights_follow_their_molecules(collection: GraphCollection) -> None:
    batch = collection.batch([7, 3, 1])
    assert batch.weights["first"].tolist() == [1.0, 3.0]
    assert "second" not in batch.weights


def test_a_repeated_position_repeats_its_molecule(collection: GraphCollection) -> None:
    assert collection.batch([0, 0]).node_ptr.tolist() == [0, 3, 6]


def test_pyg_round_trip(collection: GraphCollection) -> None:
    batch = collection.batch([0, 2, 5, 6, 7])
    other = batch.to_pyg()
    assert isinstance(other, Batch)
    assert torch.equal(other.edge_index, batch.edge_index)
    assert torch.equal(other.batch, batch.node_graph)
    back = GraphBatch.from_pyg(other)
    assert back.datasets == batch.datasets
    for name in (
        "node_codes",
        "bond_codes",
        "edge_index",
        "edge_bond",
        "edge_reverse",
        "node_ptr",
        "edge_ptr",
        "bond_ptr",
        "node_graph",
        "rows",
    ):
        assert torch.equal(getattr(back, name), getattr(batch, name)), name
    assert back.encodings.keys() == batch.encodings.keys()
    assert all(torch.equal(back.encodings[k].nan_to_num(9), v.nan_to_num(9)) for k, v in batch.encodings.items())


def test_a_foreign_pyg_batch_is_refused(collection: GraphCollection) -> None:
    other = collection.batch([0, 1]).to_pyg()
    del other.edge_reverse
    with pytest.raises(MolfoundError, match="has no 'edge_reverse'"):
        GraphBatch.from_pyg(other)


def test_moving_a_batch_moves_every_tensor(collection: GraphCollection) -> None:
    batch = collection.batch([0, 5]).to("meta")
    tensors = [batch.node_codes, batch.edge_index, batch.rows, *batch.encodings.values(), *batch.labels.values()]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize("processes", [1, 3])
def test_evaluation_meets_every_molecule_once(collection: GraphCollection, processes: int) -> None:
    met = []
    for rank in range(processes):
        loader = evaluation_batches(collection, np.array([5, 0, 2, 7]), BatchLimits(3), rank=rank, processes=processes)
        met += [
            (name, row)
            for batch in loader
            for name, (a, b) in batch.datasets.items()
            for row in batch.rows[a:b].tolist()
        ]
    assert sorted(met) == [("first", 0), ("first", 20), ("second", 0), ("second", 20)]
