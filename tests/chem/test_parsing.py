import csv
import gzip
import threading
from itertools import islice

import numpy as np
import pytest
from rdkit import Chem

from molfound.chem import atom_features, bond_features, featurize
from molfound.chem.parsing import REASONS, Rejection, parse, silenced_rdkit
from tests.chem.examples import SMILES
from tests.data.real_data import DATA, needs_data

UNSPECIFIED = Chem.ChiralType.CHI_UNSPECIFIED
BAD = [
    (None, "empty_smiles"),
    (float("nan"), "empty_smiles"),
    (7, "empty_smiles"),
    ("", "empty_smiles"),
    (" \t\n", "empty_smiles"),
    ("restricted", "restricted"),
    (" Restricted ", "restricted"),
    ("CC\0O", "nul_character"),
    ("\0", "nul_character"),
    ("C1CC", "invalid_smiles"),
    ("c1cccc1", "invalid_smiles"),
    ("C(C)(C)(C)(C)C", "invalid_smiles"),
    ("not a molecule", "invalid_smiles"),
    ("C\u00e9", "invalid_smiles"),
    ("\ud800", "invalid_smiles"),
    ("C |bogus", "invalid_smiles"),
    ("CC\nO", "invalid_smiles"),
    ("CC\r\nO", "invalid_smiles"),
    ("CC name\nO", "invalid_smiles"),
    ("C\x1bC", "invalid_smiles"),
    ("CC\x7f", "invalid_smiles"),
    ("C" * 11, "too_many_atoms"),
    ("*" * 11, "too_many_atoms"),
]


@pytest.mark.parametrize(("smiles", "reason"), BAD, ids=[repr(smiles) for smiles, _ in BAD])
def test_bad_input_is_a_rejection_with_its_reason_and_no_log(smiles, reason, capfd):
    rejection = parse(smiles, max_heavy_atoms=10)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == reason
    assert reason in REASONS
    assert capfd.readouterr() == ("", "")


def test_molecule_without_atoms_is_rejected(monkeypatch):
    # No SMILES of today's RDKit but the empty one gives no atoms; that one is known by its text.
    monkeypatch.setattr(Chem, "MolFromSmiles", lambda *_, **__: Chem.Mol())
    assert parse("C") == Rejection("no_atoms", "")


def test_rejection_tells_rdkit_s_reason():
    assert "valence for atom # 0 C, 5" in parse("C(C)(C)(C)(C)C").detail
    assert "kekulize" in parse("c1cccc1").detail
    assert parse("C" * 11, max_heavy_atoms=10).detail == "11 heavy atoms, the limit is 10"
    assert parse(" CC\nO").detail == "control character '\\n' at character 3"


@pytest.mark.parametrize(
    "smiles", ["C", "[H][H]", "[Na+].[Cl-]", "*", "  CCO  ", "CCO\n", "CCO ethanol", "CCO\tethanol", "CCO \u00e9thanol"]
)
def test_molecules_are_accepted_as_they_are(smiles):
    molecule = parse(smiles)
    assert Chem.MolToSmiles(molecule) == Chem.MolToSmiles(Chem.MolFromSmiles(smiles.split()[0]))


def assert_as_rdkit(smiles):
    ours, expected = parse(smiles), Chem.MolFromSmiles(smiles)
    first, second = (featurize([molecule], list(atom_features), list(bond_features)) for molecule in (ours, expected))
    assert first.node_codes.tolist() == second.node_codes.tolist()
    assert first.bond_codes.tolist() == second.bond_codes.tolist()
    assert first.edge_bond.tolist() == second.edge_bond.tolist()
    assert Chem.MolToCXSmiles(ours) == Chem.MolToCXSmiles(expected)
    for molecule in (ours, expected):
        # RDKit's parser leaves CIP ranks behind, ours does not where there is no stereochemistry.
        for atom in molecule.GetAtoms():
            atom.ClearProp("_CIPRank")
    assert Chem.MolToJSON(ours) == Chem.MolToJSON(expected)


HYDROGENS = [
    *("[H]O[H]", "[2H]C", "[H-].[Na+]", "[HH]", "[1H]C", "[0H]C", "[0#1]C", "[2#1]C", "C[#1]", "[#1]C[#1]", "C[#1:3]"),
    *("[#1][#1]", "[#1]", "C[#17]", "[0CH4]", "C#1CCCCCCC#1"),
]


@pytest.mark.parametrize("smiles", [*SMILES, *HYDROGENS, "CC |$a;b$|", "CC name"])
def test_molecule_is_the_one_of_rdkit_s_own_parser(smiles):
    assert_as_rdkit(smiles)


@needs_data
@pytest.mark.parametrize("file", ["qm9.csv.gz", "Tox21-7k-12-labels.csv.gz", "ZINC12k.csv.gz"])
def test_real_molecule_is_the_one_of_rdkit_s_own_parser(file):
    with gzip.open(DATA / "toymix" / file, "rt") as lines:
        for row in islice(csv.DictReader(lines), 0, 5000, 20):
            if Chem.MolFromSmiles(row["smiles"]) is not None:
                assert_as_rdkit(row["smiles"])


def test_hydrogens_do_not_count_as_heavy_atoms():
    ten_atoms = "[2H]C([2H])([2H])C([2H])([2H])C([2H])([2H])"
    assert parse(ten_atoms, max_heavy_atoms=3).GetNumAtoms() == 10
    assert parse(ten_atoms, max_heavy_atoms=2).reason == "too_many_atoms"


def test_atoms_keep_the_order_of_the_smiles():
    assert [atom.GetSymbol() for atom in parse("OC(=O)c1ccncc1Br").GetAtoms()] == [*"OCOCCCNCC", "Br"]


def test_threads_share_the_silence_and_the_log_speaks_again_after(capfd):
    def parse_many():
        for _ in range(50):
            parse("C1CC")

    threads = [threading.Thread(target=parse_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with silenced_rdkit():
        parse("C1CC")
        Chem.MolFromSmiles("C1CC")
    assert capfd.readouterr().err == ""
    Chem.MolFromSmiles("C1CC")
    assert "unclosed ring" in capfd.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["OC(=O)[C@@H](N)CO", "C[C@H](C)O", "F/C=C(/C)CC", "C/C=C(C)/C", "C[C@@H]1CC[C@H](C)CC1", "CC[S@](=O)C", "CCO"],
)
def test_atom_map_numbers_change_no_stereochemistry(text: str) -> None:
    plain = parse(text)
    assert isinstance(plain, Chem.Mol)
    rng = np.random.default_rng(0)
    for _ in range(20):
        numbers = rng.permutation(plain.GetNumAtoms()) + 1
        named = Chem.MolFromSmiles(text)
        for atom, number in zip(named.GetAtoms(), numbers.tolist(), strict=True):
            atom.SetAtomMapNum(number)
        read = parse(Chem.MolToSmiles(named, canonical=False))
        assert isinstance(read, Chem.Mol)
        place = {number: at for at, number in enumerate(numbers.tolist())}
        order = [place[atom.GetAtomMapNum()] for atom in read.GetAtoms()]
        for mine, at in zip(read.GetAtoms(), order, strict=True):
            theirs = plain.GetAtomWithIdx(at)
            assert mine.GetPropsAsDict().get("_CIPCode") == theirs.GetPropsAsDict().get("_CIPCode")
            assert (mine.GetChiralTag() == UNSPECIFIED) == (theirs.GetChiralTag() == UNSPECIFIED)
        for bond in read.GetBonds():
            same = plain.GetBondBetweenAtoms(order[bond.GetBeginAtomIdx()], order[bond.GetEndAtomIdx()])
            assert bond.GetStereo() == same.GetStereo()
