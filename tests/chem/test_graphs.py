import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context

import numpy as np
import pytest
from rdkit import Chem

from molfound.chem import GraphBlock, featurize, featurize_smiles, graphs
from molfound.chem.edges import BOND, REVERSE, SOURCE, TARGET, directed_edges, local_numbers
from molfound.chem.graphs import LARGEST_GRAPH
from molfound.errors import MolfoundError
from tests.chem.examples import SMILES, molecules

ATOMS, BONDS = ["atomic_number", "charge"], ["bond_type", "stereo", "bond_in_ring"]


def assert_equal_blocks(first: GraphBlock, second: GraphBlock) -> None:
    for field in fields(GraphBlock):
        one, other = getattr(first, field.name), getattr(second, field.name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, err_msg=field.name)


def test_edges_are_the_bonds_in_both_directions_sorted_by_target_then_source():
    mols = molecules()
    block = featurize(mols, ATOMS, BONDS)
    assert block.graph_count == len(mols)
    for number, mol in enumerate(mols):
        edges = slice(block.edge_ptr[number], block.edge_ptr[number + 1])
        found = [
            (int(target), int(source), int(bond))
            for target, source, bond in zip(
                block.edge_target[edges], block.edge_source[edges], block.edge_bond[edges], strict=True
            )
        ]
        ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetIdx()) for bond in mol.GetBonds()]
        assert found == sorted([(a, b, i) for a, b, i in ends] + [(b, a, i) for a, b, i in ends])
        reverse = local_numbers(block.edges[edges], REVERSE)
        assert [found[edge] for edge in reverse] == [(source, target, bond) for target, source, bond in found]
        assert block.node_ptr[number + 1] - block.node_ptr[number] == mol.GetNumAtoms()
        assert block.bond_ptr[number + 1] - block.bond_ptr[number] == mol.GetNumBonds()


def test_types_and_shapes_are_the_contract_s():
    block = featurize(molecules(), ATOMS, BONDS)
    kinds = {field.name: getattr(block, field.name).dtype for field in fields(GraphBlock)}
    assert kinds == {
        **dict.fromkeys(["node_ptr", "edge_ptr", "bond_ptr"], np.dtype(np.int64)),
        **dict.fromkeys(["node_codes", "bond_codes"], np.dtype(np.uint8)),
        "edges": np.dtype(np.int64),
    }
    assert {local.dtype for local in (block.edge_source, block.edge_target, block.edge_bond)} == {np.dtype(np.uint16)}
    assert block.node_codes.shape == (block.node_ptr[-1], len(ATOMS))
    assert block.bond_codes.shape == (block.bond_ptr[-1], len(BONDS))


def test_codes_stand_in_the_order_asked_for():
    mol = [Chem.MolFromSmiles("C[O-]")]
    assert featurize(mol, ["atomic_number", "charge"], []).node_codes.tolist() == [[5, 4], [7, 3]]
    assert featurize(mol, ["charge", "atomic_number"], []).node_codes.tolist() == [[4, 5], [3, 7]]


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_a_molecule_s_graph_does_not_depend_on_its_neighbours(at_once, monkeypatch):
    mols = molecules()
    expected = featurize(mols, ATOMS, BONDS)
    monkeypatch.setattr(graphs, "_MOLECULES_AT_ONCE", at_once)
    assert_equal_blocks(featurize(mols, ATOMS, BONDS), expected)


def test_no_molecules_and_no_features_give_empty_arrays():
    empty = featurize([], ATOMS, BONDS)
    assert empty.node_ptr.tolist() == [0]
    assert empty.node_codes.shape == (0, 2)
    assert empty.bond_codes.shape == (0, 3)
    bare = featurize([Chem.MolFromSmiles("CC")], [], [])
    assert bare.node_codes.shape == (2, 0)
    assert bare.edge_count == 2


def test_bad_smiles_are_left_out_and_told():
    given = ["CO", None, "C1C", "restricted", "O", "CCCCC", ""]
    block, kept, rejections = featurize_smiles(given, ATOMS, BONDS, max_heavy_atoms=4)
    assert_equal_blocks(block, featurize([Chem.MolFromSmiles("CO"), Chem.MolFromSmiles("O")], ATOMS, BONDS))
    assert kept.dtype == np.int64
    assert kept.tolist() == [0, 4]
    assert [(position, rejection.reason) for position, rejection in rejections] == [
        (1, "empty_smiles"),
        (2, "invalid_smiles"),
        (3, "restricted"),
        (5, "too_many_atoms"),
        (6, "empty_smiles"),
    ]


def test_only_bad_smiles():
    block, kept, rejections = featurize_smiles(["", "("], ATOMS, BONDS)
    assert (block.graph_count, len(kept), len(rejections)) == (0, 0, 2)


def test_unknown_features_are_named():
    with pytest.raises(MolfoundError, match="unknown atom feature 'chrge'; did you mean 'charge'"):
        featurize([], ["chrge"], [])
    with pytest.raises(MolfoundError, match="unknown bond feature 'charge'"):
        featurize_smiles([], [], ["charge"])


def test_a_graph_beyond_its_local_numbers_is_refused(monkeypatch):
    monkeypatch.setattr(graphs, "LARGEST_GRAPH", 5)
    assert featurize([Chem.MolFromSmiles("CCC.C.C")], [], []).node_count == 5
    with pytest.raises(MolfoundError, match="4 atoms and 3 bonds; a graph holds at most 5 and 2"):
        featurize([Chem.MolFromSmiles("CCCC")], [], [])
    with pytest.raises(MolfoundError, match="6 atoms and 0 bonds"):
        featurize([Chem.MolFromSmiles("C.C.C.C.C.C")], [], [])


def test_large_graphs_keep_their_local_numbers():
    length = 1500
    block, _, _ = featurize_smiles(["C" * length, "C" * length], [], [], max_heavy_atoms=length)
    half = block.edge_count // 2
    assert block.edge_target[half:].tolist() == block.edge_target[:half].tolist()
    assert (block.edge_target[-1], block.edge_source[-1], block.edge_bond[-1]) == (length - 1, length - 2, length - 2)


def test_the_largest_graph_keeps_its_local_numbers():
    bonds = LARGEST_GRAPH // 2
    chain = np.arange(bonds + 1).astype(np.uint16)
    edges = directed_edges(chain[:-1], chain[1:], np.array([0, bonds + 1]), np.array([0, bonds]))
    assert edges[-1] < 0
    target, source, bond, reverse = (local_numbers(edges, n).tolist() for n in (TARGET, SOURCE, BOND, REVERSE))
    assert (target[-1], source[-1], bond[-1], reverse[-1]) == (bonds, bonds - 1, bonds - 1, 2 * bonds - 2)
    assert [source[edge] for edge in reverse] == target


def test_spawned_processes_give_the_same_blocks():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there, kept, _ = pool.submit(featurize_smiles, SMILES, ATOMS, BONDS).result()
    here, _, _ = featurize_smiles(SMILES, ATOMS, BONDS)
    assert_equal_blocks(there, here)
    assert_equal_blocks(pickle.loads(pickle.dumps(here)), here)
    assert len(kept) == len(SMILES)


def test_import_is_light():
    program = "import sys, molfound.chem, molfound.encodings; print(*{'torch', 'pandas', 'scipy'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""
