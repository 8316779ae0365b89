import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from molfound.chem import parse
from molfound.chem.conformers import Conformers
from molfound.chem.given_coordinates import cxsmiles_coordinates, listed_coordinates, molblock_coordinates

# Without symmetry, so that each atom has one place only; the last two are cages with short distances across.
SMILES = ("CC(=O)[O-].[Na+]", "C[C@H](N)C(=O)O", "F/C=C/Cl", "O=CCC1C2CC1C2", "CC1C2CC1(C)C2C#N", "[2H]CO")


def with_hydrogens(smiles: str) -> tuple[Chem.Mol, np.ndarray, np.ndarray]:
    """Return a molecule, and the atomic numbers and positions of its atoms, then its hydrogens."""
    molecule = parse(smiles)
    whole = Chem.AddHs(molecule)
    assert rdDistGeom.EmbedMolecule(whole, randomSeed=1) == 0
    positions = whole.GetConformer().GetPositions()
    fragments = Chem.GetMolFrags(whole)
    for number, atoms in enumerate(fragments):
        positions[list(atoms)] += 5.0 * number
    return molecule, np.array([atom.GetAtomicNum() for atom in whole.GetAtoms()]), positions


def coordinates(found: object) -> np.ndarray:
    assert isinstance(found, Conformers), found
    assert found.source == "given"
    assert np.isnan(found.energies).all()
    return found.coordinates[0]


@pytest.mark.parametrize("smiles", SMILES)
def test_a_list_in_the_molecule_s_order_is_used_as_it_is(smiles):
    molecule, numbers, positions = with_hydrogens(smiles)
    n = molecule.GetNumAtoms()
    expected = positions[:n].astype(np.float32)
    np.testing.assert_array_equal(coordinates(listed_coordinates(molecule, positions.reshape(-1), numbers)), expected)
    np.testing.assert_array_equal(coordinates(listed_coordinates(molecule, positions.reshape(-1), None)), expected)
    if (numbers[:n] != 1).all():
        heavy = listed_coordinates(molecule, positions[:n].reshape(-1), numbers[:n])
        np.testing.assert_array_equal(coordinates(heavy), expected)


@pytest.mark.parametrize("smiles", SMILES)
def test_hydrogens_may_stand_anywhere(smiles):
    molecule, numbers, positions = with_hydrogens(smiles)
    if "[2H]" in smiles:
        pytest.skip("its hydrogen is an atom of the graph")
    places = np.random.default_rng(0).permutation(len(numbers))
    places[numbers[places] != 1] = np.sort(places[numbers[places] != 1])
    found = listed_coordinates(molecule, positions[places].reshape(-1), numbers[places])
    np.testing.assert_array_equal(coordinates(found), positions[: molecule.GetNumAtoms()].astype(np.float32))


@pytest.mark.parametrize("smiles", SMILES)
@pytest.mark.parametrize("seed", range(3))
def test_another_order_is_found_by_the_bonds(smiles, seed):
    molecule, numbers, positions = with_hydrogens(smiles)
    places = np.random.default_rng(seed).permutation(len(numbers))
    found = coordinates(listed_coordinates(molecule, positions[places].reshape(-1), numbers[places]))
    # Atoms that elements and bonds cannot tell apart may change places: the oxygens, hydrogens, a cage's carbons.
    ranks = list(Chem.CanonicalRankAtoms(Chem.AddHs(molecule), breakTies=False))
    for atom, position in enumerate(found):
        original = int(np.linalg.norm(positions - position, axis=1).argmin())
        np.testing.assert_allclose(position, positions[original], atol=1e-5)
        assert numbers[original] == numbers[atom]
        if smiles != "CC(=O)[O-].[Na+]" and numbers[atom] != 1:
            assert ranks[original] == ranks[atom]


def test_of_the_ways_to_match_one_that_keeps_stereochemistry_is_taken():
    molecule, numbers, positions = with_hydrogens("C[C@H]1CC[C@@H](C)CC1")
    for seed in range(3):
        places = np.random.default_rng(seed).permutation(len(numbers))
        found = coordinates(listed_coordinates(molecule, positions[places].reshape(-1), numbers[places]))
        placed = Chem.Mol(molecule)
        conformer = Chem.Conformer(molecule.GetNumAtoms())
        conformer.SetPositions(found.astype(np.float64))
        placed.AddConformer(conformer)
        Chem.AssignStereochemistryFrom3D(placed)
        assert Chem.MolToSmiles(placed) == Chem.MolToSmiles(molecule)


def reason(molecule: Chem.Mol, positions: object, numbers: object) -> str:
    found = listed_coordinates(molecule, positions, numbers)
    assert not isinstance(found, Conformers)
    return found.reason


def test_what_does_not_fit_is_a_reason():
    molecule, numbers, positions = with_hydrogens("CC(=O)O")
    flat = positions.reshape(-1)
    assert reason(molecule, None, numbers) == "coordinates_missing"
    assert reason(molecule, [], []) == "coordinates_missing"
    assert reason(molecule, flat[:-1], numbers) == "coordinates_count"
    assert reason(molecule, flat[:-3], numbers[:-1]) == "coordinates_count"
    assert reason(molecule, flat[:-3], None) == "coordinates_count"
    assert reason(molecule, flat, np.where(numbers == 8, 7, numbers)) == "coordinates_elements"
    assert reason(molecule, np.where(np.arange(len(flat)) == 4, np.nan, flat), numbers) == "coordinates_not_finite"
    assert reason(molecule, np.where(np.arange(len(flat)) == 4, 1e300, flat), numbers) == "coordinates_not_finite"
    assert reason(molecule, np.zeros_like(flat), numbers) == "coordinates_coincide"
    assert reason(molecule, 3 * flat, numbers) == "coordinates_order"
    # Without hydrogens, nothing tells the two oxygens apart.
    assert reason(molecule, positions[[3, 0, 1, 2]].reshape(-1), numbers[[3, 0, 1, 2]]) == "coordinates_order"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CO", "coordinates_missing"),
        ("CO methanol", "coordinates_missing"),
        ("CO |$a;b$|", "coordinates_missing"),
        ("CO |(0,0,0.5)|", "coordinates_count"),
        ("CO |(0,0,0.5;1.4,0,0;3,3,3)|", "coordinates_count"),
        ("CO |(0,0,;1.4,0,)|", "coordinates_flat"),
        ("CO |(0,0;1.4,0)|", "coordinates_flat"),
        ("CO |(a,0,0.5;1.4,0,0)|", "coordinates_unreadable"),
        ("CO |(0,0,0.5;,,)|", "coordinates_unreadable"),
        ("CO |(nan,0,0.5;1.4,0,0)|", "coordinates_not_finite"),
        ("CO |(0,0,0.5;0,0,0.5)|", "coordinates_coincide"),
    ],
)
def test_what_a_cxsmiles_lacks_is_a_reason(text, expected):
    assert cxsmiles_coordinates(text, parse(text)).reason == expected


def test_cxsmiles_coordinates_are_rdkit_s_without_its_zeros():
    for text in ("[H]OC |(1,0,;0,0,0.5;-1.5,0,-1e-1)|", "CO\t|$a;b$,(0,0,0.5;1.4,0,)| name"):
        molecule = parse(text)
        found = coordinates(cxsmiles_coordinates(text, molecule))
        np.testing.assert_array_equal(found, molecule.GetConformer().GetPositions().astype(np.float32))


@pytest.mark.parametrize("smiles", SMILES)
@pytest.mark.parametrize("v3000", [False, True])
def test_a_molfile_is_led_to_the_atoms_of_the_smiles(smiles, v3000):
    molecule, _, positions = with_hydrogens(smiles)
    whole = Chem.AddHs(molecule)
    conformer = Chem.Conformer(whole.GetNumAtoms())
    conformer.SetPositions(positions)
    whole.AddConformer(conformer)
    block = Chem.MolToMolBlock(whole, forceV3000=v3000) + "$$$$\n"
    found = coordinates(molblock_coordinates(block, molecule))
    np.testing.assert_allclose(found, positions[: molecule.GetNumAtoms()], atol=1e-4)


def test_what_a_molfile_lacks_is_a_reason():
    molecule = parse("CO")
    assert molblock_coordinates(None, molecule).reason == "coordinates_missing"
    assert molblock_coordinates("  ", molecule).reason == "coordinates_missing"
    assert molblock_coordinates("CO", molecule).reason == "coordinates_unreadable"
    assert molblock_coordinates(Chem.MolToMolBlock(molecule), molecule).reason == "coordinates_flat"
    assert molblock_coordinates(Chem.MolToMolBlock(Chem.Mol()), molecule).reason == "coordinates_missing"


def data_file(name: str) -> Path:
    root = os.environ.get("MOLFOUND_DATA")
    if root is None or not (Path(root) / name).is_file():
        pytest.skip(f"MOLFOUND_DATA names no folder with {name}")
    return Path(root) / name


def test_published_geometries_are_accepted_whatever_their_order():
    table = pq.ParquetFile(data_file("quantum/qm9_3d.parquet"))
    rows = next(table.iter_batches(500, row_groups=[table.num_row_groups - 1])).to_pylist()
    orders = set()
    for row in rows:
        molecule = parse(row["smiles"])
        coordinates(listed_coordinates(molecule, row["coordinates"], row["atomic_numbers"]))
        whole = [atom.GetAtomicNum() for atom in Chem.AddHs(molecule).GetAtoms()]
        orders.add(whole == row["atomic_numbers"])
    assert orders == {True, False}


def test_published_cxsmiles_are_accepted():
    table = pd.read_csv(data_file("formats/pcqm4mv2-2k.csv.gz"), nrows=200)
    for text in table["smiles"]:
        molecule = parse(text)
        assert coordinates(cxsmiles_coordinates(text, molecule)).shape == (molecule.GetNumAtoms(), 3)


@pytest.mark.parametrize(
    ("coordinates", "numbers", "reason"),
    [
        ([0.0, 0, 0, 1.4, 0, 0], [6, 200], "coordinates_elements"),
        ([0.0, 0, 0, 1.4, 0, 0], [6, -1], "coordinates_elements"),
        ([0.0, 0, 0, 1.4, 0, 0], [6, None], "coordinates_unreadable"),
        ([0.0, 0, 0, 1.4, 0, 0], [6, 8.5], "coordinates_unreadable"),
        ([0.0, 0, 0, 1.4, 0, 0], [6, 10**400], "coordinates_unreadable"),
        ([0.0, 0, 0, 1.4, 0, 0], [[6, 8]], "coordinates_unreadable"),
        ([None, [1.4, 0, 0]], [6, 8], "coordinates_unreadable"),
        ([[0.0, 0, 0], None], None, "coordinates_unreadable"),
        ([[0.0, 0, 0], [1.4, 0]], None, "coordinates_unreadable"),
        (["text"], None, "coordinates_unreadable"),
        ([0.0, 0, None, 1.4, 0, 0], [6, 8], "coordinates_not_finite"),
    ],
)
def test_a_cell_that_holds_no_coordinates_is_a_problem_of_its_molecule(coordinates, numbers, reason):
    assert listed_coordinates(parse("CO"), coordinates, numbers).reason == reason


def test_what_is_no_element_is_told_by_its_number():
    assert listed_coordinates(parse("CO"), [0, 0, 0, 1, 0, 0], [200, -1]).detail == "(-1)(200), the molecule is CO"
