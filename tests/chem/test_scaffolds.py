import pytest
from rdkit import Chem
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

from molfound.chem import murcko_scaffold
from tests.chem.examples import SMILES, rewritten


@pytest.mark.parametrize("smiles", SMILES)
def test_scaffold_equals_rdkit_s_own_and_does_not_depend_on_the_writing(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    expected = MurckoScaffoldSmiles(mol=Chem.Mol(molecule), includeChirality=False)
    assert murcko_scaffold(molecule) == expected
    assert murcko_scaffold(Chem.MolFromSmiles(rewritten(smiles, 1)[0])) == expected


def test_stereoisomers_share_a_scaffold_and_chains_have_none():
    pair = ["C[C@H]1CC[C@@H](O1)c1ccccc1", "C[C@@H]1CC[C@@H](O1)c1ccccc1"]
    assert len({murcko_scaffold(Chem.MolFromSmiles(smiles)) for smiles in pair}) == 1
    assert murcko_scaffold(Chem.MolFromSmiles("CCCCO")) == ""
