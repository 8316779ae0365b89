from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers, rdMolAlign
from scipy.spatial.distance import cdist, pdist

from molfound.chem import conformers, parse
from molfound.chem.conformers import (
    PROBLEM_REASONS,
    SOURCES,
    ConformerBlock,
    ConformerOptions,
    ConformerProblem,
    Conformers,
    conformers_of_smiles,
    generate_conformers,
)
from tests.chem.examples import SMILES, rewritten

FEW = (
    "CCO",
    "CC(=O)[O-].[Na+]",
    "C[C@H](N)C(=O)O",
    "c1ccc2[nH]ccc2c1",
    "OB(O)c1ccccc1",
    "[NH4+]",
    "C1CC2CCC1=C2",
    "*C",
)


def generated(smiles: str, **options: int) -> Conformers:
    found = generate_conformers(parse(smiles), ConformerOptions(**options))
    assert isinstance(found, Conformers)
    return found


def placed(molecule: Chem.Mol, coordinates: np.ndarray) -> Chem.Mol:
    copy = Chem.Mol(molecule)
    copy.RemoveAllConformers()
    conformer = Chem.Conformer(copy.GetNumAtoms())
    conformer.SetPositions(coordinates.astype(np.float64))
    copy.AddConformer(conformer)
    return copy


def assert_equal_blocks(first: ConformerBlock, second: ConformerBlock) -> None:
    for name in ("coordinates", "row_ptr", "conformer_ptr", "energies", "converged", "sources"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert first.problems == second.problems


@pytest.mark.parametrize("smiles", ["CC(=O)Oc1ccccc1C(=O)O", "OB(O)c1ccccc1", "C[C@H](N)C(=O)O"])
def test_conformers_are_those_of_rdkit_s_separate_steps(smiles):
    text = Chem.CanonSmiles(smiles)
    slow = Chem.AddHs(Chem.MolFromSmiles(text))
    parameters = rdDistGeom.ETKDGv3()
    parameters.randomSeed = conformers._seed(text, 5)
    parameters.enableSequentialRandomSeeds = True
    rdDistGeom.EmbedMolecule(slow, parameters)
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(slow)
    if properties is None:
        field = rdForceFieldHelpers.UFFGetMoleculeForceField(slow)
    else:
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(slow, properties)
    field.Initialize()
    field.Minimize(maxIts=2000)
    found = generated(text, seed=5, iterations=2000)
    assert found.source == ("uff" if properties is None else "mmff94")
    assert found.converged.all()
    assert found.energies[0] == pytest.approx(field.CalcEnergy(), abs=1e-3)
    heavy = Chem.RemoveHs(slow)
    assert rdMolAlign.AlignMol(placed(heavy, found.coordinates[0]), heavy) < 1e-3


def test_atoms_keep_the_order_of_the_smiles_however_it_is_written():
    for smiles in ("CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "C/C=C/C=C\\C", "CC(=O)[O-].[Na+]", "[2H]C([2H])O"):
        first = generated(smiles, count=2)
        for seed in range(3):
            text, order = rewritten(smiles, seed)
            other = generated(text, count=2)
            # Equivalent atoms may change places, so what is compared is who lies where.
            elements = np.array([atom.GetAtomicNum() for atom in parse(smiles).GetAtoms()])
            assert elements[order].tolist() == [atom.GetAtomicNum() for atom in parse(text).GetAtoms()]
            np.testing.assert_array_equal(other.energies, first.energies)
            for mine, theirs in zip(first.coordinates[:, order], other.coordinates, strict=True):
                distances = cdist(mine, theirs)
                assert distances.min(1).max() < 1e-4
                assert (elements[order][distances.argmin(1)] == elements[order]).all()
            np.testing.assert_allclose(bond_lengths(text, other), bond_lengths(smiles, first), atol=1e-4)


def bond_lengths(smiles: str, found: Conformers) -> np.ndarray:
    """Return the sorted lengths of all bonds: right only where coordinates are those of the bonded atoms."""
    ends = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in parse(smiles).GetBonds()])
    vectors = found.coordinates[:, ends[:, 0]] - found.coordinates[:, ends[:, 1]]
    return np.sort(np.linalg.norm(vectors, axis=-1), axis=1)


@pytest.mark.parametrize("smiles", SMILES)
def test_every_example_has_conformers_or_a_reason(smiles):
    molecule = parse(smiles)
    found = generate_conformers(molecule, ConformerOptions(count=2))
    if isinstance(found, ConformerProblem):
        assert found.reason == "no_force_field"
        assert any(atom.GetAtomicNum() not in (1, 6, 7, 8) for atom in molecule.GetAtoms())
        return
    assert found.coordinates.shape == (len(found), molecule.GetNumAtoms(), 3)
    assert found.coordinates.dtype == found.energies.dtype == np.float32
    assert np.isfinite(found.coordinates).all()
    assert (np.diff(found.energies) >= 0).all() or found.source == "none"
    np.testing.assert_allclose(found.coordinates.mean(1), 0, atol=1e-5)
    assert found.source in SOURCES[1:4]
    for conformer in found.coordinates:
        if molecule.GetNumAtoms() > 1:
            assert pdist(conformer).min() > conformers.COINCIDENT
        table = Chem.GetPeriodicTable()
        for bond in molecule.GetBonds():
            radii = sum(table.GetRcovalent(atom.GetAtomicNum()) for atom in (bond.GetBeginAtom(), bond.GetEndAtom()))
            length = np.linalg.norm(conformer[bond.GetBeginAtomIdx()] - conformer[bond.GetEndAtomIdx()])
            assert 0.7 * radii < length < 1.3 * radii


@pytest.mark.parametrize(
    "smiles",
    [
        "C[C@H](N)C(=O)O",
        "C[C@@H](N)C(=O)O",
        "F/C=C/F",
        "F/C=C\\F",
        "C/C=C/C=C\\C",
        "C[C@H]1CC[C@@H](C)CC1",
        "C[S@](=O)CC",
    ],
)
def test_stereochemistry_is_kept(smiles):
    molecule = parse(smiles)
    for conformer in generated(smiles, count=3).coordinates:
        bare = Chem.MolFromSmiles(Chem.MolToSmiles(molecule, isomericSmiles=False, canonical=False))
        flat = Chem.RenumberAtoms(bare, list(bare.GetSubstructMatch(molecule, useChirality=False)))
        seen = placed(flat, conformer)
        Chem.AssignStereochemistryFrom3D(seen)
        assert Chem.MolToSmiles(seen) == Chem.MolToSmiles(molecule)


def test_the_fragments_of_a_salt_lie_beside_one_another():
    for smiles in ("[Na+].[Cl-]", "CC(=O)[O-].[Na+]", "C[N+](C)(C)C.[Br-]", "CCO.CCO.O"):
        fragments = [list(atoms) for atoms in Chem.GetMolFrags(parse(smiles))]
        for conformer in generated(smiles, count=2).coordinates:
            for atoms in fragments:
                others = [atom for fragment in fragments if fragment is not atoms for atom in fragment]
                assert 1.8 < cdist(conformer[atoms], conformer[others]).min() < 5


def test_a_lone_atom_lies_at_the_origin():
    for smiles in ("[Na+]", "[U]", "C", "[NH4+]"):
        assert generated(smiles).coordinates.tolist() == [[[0.0, 0.0, 0.0]]]


def test_a_longer_list_of_conformers_holds_the_shorter():
    smiles = "CCCCC(=O)NCC"
    many, one = generated(smiles, count=5), generated(smiles, count=1)
    assert len(many) == 5
    assert (np.diff(many.energies) >= 0).all()
    assert np.unique(many.energies.round(3)).size > 1
    assert any(np.array_equal(one.coordinates[0], conformer) for conformer in many.coordinates)


def test_another_seed_gives_another_conformer():
    assert not np.allclose(pdist(generated("CCCCCO").coordinates[0]), pdist(generated("CCCCCO", seed=1).coordinates[0]))


def test_the_same_in_another_process_and_in_another_order():
    options = ConformerOptions(count=2)
    here = conformers_of_smiles(FEW, options)
    assert_equal_blocks(conformers_of_smiles(FEW, options, hang_seconds=300), here)
    back = conformers_of_smiles(FEW[::-1], options)
    for g in range(len(FEW)):
        mine, theirs = back.outcome(len(FEW) - 1 - g), here.outcome(g)
        if isinstance(mine, Conformers):
            assert isinstance(theirs, Conformers)
            np.testing.assert_array_equal(mine.coordinates, theirs.coordinates)
            assert mine.source == theirs.source
        else:
            assert mine == theirs


def test_a_failure_is_a_reason_and_leaves_no_coordinates():
    smiles = ["CCO", None, "C1CC2CCC1=C2", "CCCCCC", "*C", "C"]
    block = conformers_of_smiles(smiles, ConformerOptions(max_atoms=5))
    reasons = {g: problem.reason for g, problem in block.problems.items()}
    assert reasons == {1: "no_molecule", 2: "conformer_too_large", 3: "conformer_too_large", 4: "no_force_field"}
    assert block.row_ptr.tolist() == [0, 3, 3, 3, 3, 3, 4]
    assert block.conformer_ptr.tolist() == [0, 1, 1, 1, 1, 1, 2]
    assert [SOURCES[code] for code in block.sources] == ["mmff94", *["absent"] * 4, "mmff94"]
    assert block.outcome(1) == block.problems[1]
    assert set(reasons.values()) <= set(PROBLEM_REASONS)
    assert conformers_of_smiles(["C1CC2CCC1=C2"], ConformerOptions()).problems[0].reason == "embedding_failed"


def test_what_has_not_converged_is_kept_and_marked():
    assert not generated("CC(=O)Oc1ccccc1C(=O)O", iterations=1).converged.any()


def test_nothing_is_a_block_too():
    block = conformers_of_smiles([], ConformerOptions())
    assert len(block) == 0
    assert block.coordinates.shape == (0, 3)


def test_map_numbers_are_no_chemistry():
    np.testing.assert_array_equal(generated("[CH3:2][OH:1]").coordinates, generated("CO").coordinates)


@pytest.mark.parametrize("name", ["count", "attempts", "iterations", "max_atoms"])
def test_options_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        replace(ConformerOptions(), **{name: 0})
