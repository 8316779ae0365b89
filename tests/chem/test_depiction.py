"""Pictures of molecules: whole, without anything of the page's own business, the right atom marked."""

from xml.etree import ElementTree

import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor

from molfound.chem.depiction import MOST_ATOMS, depict


@pytest.mark.parametrize(
    "smiles", ["C", "[Na+].[Cl-]", "N[C@@H](C)C(=O)O", "c1ccc2[nH]ccc2c1", "[2H]OBr", "*CP", "[U]", "C~CO"]
)
def test_a_picture_holds_paths_and_nothing_else(smiles):
    root = ElementTree.fromstring(depict(smiles))
    assert root.attrib == {
        "class": "molecule",
        "viewBox": "0 0 240 180",
        "role": "img",
        "aria-label": smiles,
    }
    assert len(root)
    for element in root:
        assert element.tag == "path"
        assert element.attrib.keys() == {"class", "d"}
        kind, colour = element.get("class").split()
        assert kind in ("bond", "solid")
        assert colour in ("ink", "nitrogen", "oxygen", "halogen", "phosphorus", "sulfur")


def test_elements_have_their_classes():
    assert "oxygen" in depict("CO")
    assert "oxygen" not in depict("CN")
    assert "halogen" in depict("CI")


def test_there_is_no_picture_of_what_is_no_molecule_or_a_very_large_one():
    assert depict("C(C") is None
    assert depict('"><script>') is None
    assert depict("C" * MOST_ATOMS) is not None
    assert depict("C" * (MOST_ATOMS + 1)) is None


def test_the_marked_atom_is_the_one_at_its_place_in_the_smiles():
    smiles = "NCCCCO"  # a zigzag from left to right, or from right to left
    marks = [ElementTree.fromstring(depict(smiles, atom=atom)).find("circle") for atom in range(6)]
    drawn = [(float(mark.get("cx")), float(mark.get("cy"))) for mark in marks]
    molecule = Chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(molecule)
    positions = molecule.GetConformer().GetPositions()
    for one in range(6):
        for other in range(6):
            apart = ((drawn[one][0] - drawn[other][0]) ** 2 + (drawn[one][1] - drawn[other][1]) ** 2) ** 0.5
            expected = ((positions[one] - positions[other]) ** 2).sum() ** 0.5 * 25
            assert apart == pytest.approx(expected, abs=1)
