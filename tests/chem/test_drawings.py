import numpy as np
import pytest
from rdkit import Chem

from molfound.chem.conformers import ConformerProblem
from molfound.chem.drawings import draw, drawings_of_smiles


@pytest.mark.parametrize(
    "smiles", ["CCO", "c1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "CC(=O)[O-].[Na+]", "C", "[2H]C([2H])O"]
)
def test_a_drawing_is_flat_centred_and_the_same_for_any_order_of_the_atoms(smiles: str) -> None:
    molecule = Chem.MolFromSmiles(smiles)
    drawn = draw(molecule).coordinates[0]
    assert drawn.shape == (molecule.GetNumAtoms(), 3)
    assert np.array_equal(drawn[:, 2], np.zeros(len(drawn)))
    np.testing.assert_allclose(drawn.mean(0), 0, atol=1e-6)
    order = np.random.default_rng(0).permutation(len(drawn))
    turned = draw(Chem.RenumberAtoms(molecule, order.tolist())).coordinates[0]
    # Atoms that are each other's image may change places.
    distances = [np.sort(np.linalg.norm(each[:, None] - each, axis=2), axis=1) for each in (drawn[order], turned)]
    np.testing.assert_allclose(*distances, atol=1e-4)


def test_bonds_are_as_long_as_rdkit_draws_them() -> None:
    molecule = Chem.MolFromSmiles("CC(C)Cc1ccc(cc1)C(C)C(=O)O")
    drawn = draw(molecule).coordinates[0]
    lengths = [np.linalg.norm(drawn[b.GetBeginAtomIdx()] - drawn[b.GetEndAtomIdx()]) for b in molecule.GetBonds()]
    np.testing.assert_allclose(lengths, 1.5, atol=1e-3)


def test_a_smiles_that_cannot_be_read_has_no_drawing() -> None:
    block = drawings_of_smiles(["CO", "C(", "CCCC"], max_heavy_atoms=3)
    assert np.diff(block.conformer_ptr).tolist() == [1, 0, 0]
    assert block.problems == {
        1: ConformerProblem("no_molecule", "invalid_smiles"),
        2: ConformerProblem("no_molecule", "too_many_atoms"),
    }
