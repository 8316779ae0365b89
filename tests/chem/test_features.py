"""Every registered feature against RDKit's slow path, one atom or bond at a time."""

import numpy as np
import pytest
from rdkit import Chem

from molfound.chem import MoleculeBlock, Vocabulary, atom_feature, atom_features, bond_features
from molfound.chem.features import Feature
from molfound.errors import MolfoundError
from molfound.registry import Registry
from tests.chem.examples import SMILES, molecules, rewritten
from tests.data.real_data import DATA, needs_data

# The periodic table, a row per period; a dash is a place without an element, the f block stands apart.
TABLE = """
H - - - - - - - - - - - - - - - - He
Li Be - - - - - - - - - - B C N O F Ne
Na Mg - - - - - - - - - - Al Si P S Cl Ar
K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe
Cs Ba Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
Fr Ra Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""
GROUP = {
    symbol: column
    for row in TABLE.strip().splitlines()
    for column, symbol in enumerate(row.split(), start=1)
    if symbol != "-"
}
F_BLOCK = {6: range(57, 71), 7: range(89, 103)}
PERIOD = {
    symbol: row
    for row, line in enumerate(TABLE.strip().splitlines(), start=1)
    for symbol in line.split()
    if symbol != "-"
} | {Chem.GetPeriodicTable().GetElementSymbol(z): period for period, row in F_BLOCK.items() for z in row}


def cip_label(atom):
    if atom.GetChiralTag() == Chem.ChiralType.CHI_UNSPECIFIED:
        return "none"
    tetrahedral = atom.GetChiralTag() in (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW)
    return atom.GetPropsAsDict(True, True).get("_CIPCode", "?") if tetrahedral else "?"


SLOW_ATOMS = {
    "atomic_number": lambda atom: atom.GetAtomicNum(),
    "group": lambda atom: GROUP.get(atom.GetSymbol()),
    "period": lambda atom: PERIOD.get(atom.GetSymbol()),
    "total_valence": lambda atom: atom.GetTotalValence(),
    "degree": lambda atom: atom.GetDegree(),
    "total_degree": lambda atom: atom.GetTotalDegree(),
    "charge": lambda atom: atom.GetFormalCharge(),
    "radicals": lambda atom: atom.GetNumRadicalElectrons(),
    "aromatic": lambda atom: int(atom.GetIsAromatic()),
    "in_ring": lambda atom: int(atom.IsInRing()),
    "chirality": cip_label,
    "hybridization": lambda atom: atom.GetHybridization().name,
    "hydrogens": lambda atom: atom.GetTotalNumHs() + sum(n.GetAtomicNum() == 1 for n in atom.GetNeighbors()),
}
SLOW_BONDS = {
    "bond_type": lambda bond: bond.GetBondType().name,
    "stereo": lambda bond: bond.GetStereo().name if bond.GetBondType() == Chem.BondType.DOUBLE else "STEREONONE",
    "conjugated": lambda bond: int(bond.GetIsConjugated()),
    "bond_in_ring": lambda bond: int(bond.IsInRing()),
}


def code(vocabulary, value):
    return vocabulary.values.index(value) if value in vocabulary.values else vocabulary.size - 1


def slow_codes(feature, slow, parts):
    return [code(feature.vocabulary, slow(part)) for part in parts]


def assert_as_slow_path(mols):
    block = MoleculeBlock(mols)
    atoms = [atom for mol in mols for atom in mol.GetAtoms()]
    bonds = [bond for mol in mols for bond in mol.GetBonds()]
    for name, slow in SLOW_ATOMS.items():
        assert atom_features[name](block).tolist() == slow_codes(atom_features[name], slow, atoms), name
    for name, slow in SLOW_BONDS.items():
        assert bond_features[name](block).tolist() == slow_codes(bond_features[name], slow, bonds), name


def test_every_shipped_feature_has_a_slow_path_here():
    shipped = {name for registry in (atom_features, bond_features) for name in registry if is_shipped(registry[name])}
    assert shipped == {*SLOW_ATOMS, *SLOW_BONDS}


def is_shipped(feature):
    return feature.values.__module__ == "molfound.chem.features"


@pytest.mark.parametrize("name", SLOW_ATOMS)
def test_atom_feature_equals_slow_path(name):
    mols = molecules()
    feature = atom_features[name]
    atoms = [atom for mol in mols for atom in mol.GetAtoms()]
    codes = feature(MoleculeBlock(mols))
    assert codes.dtype == np.uint8
    assert codes.tolist() == slow_codes(feature, SLOW_ATOMS[name], atoms)
    assert len(np.unique(codes)) > 1, "the examples should show more than one value"


@pytest.mark.parametrize("name", SLOW_BONDS)
def test_bond_feature_equals_slow_path(name):
    mols = molecules()
    feature = bond_features[name]
    bonds = [bond for mol in mols for bond in mol.GetBonds()]
    codes = feature(MoleculeBlock(mols))
    assert codes.dtype == np.uint8
    assert codes.tolist() == slow_codes(feature, SLOW_BONDS[name], bonds)
    assert len(np.unique(codes)) > 1


def test_period_and_group_of_every_element():
    atoms = [Chem.MolFromSmiles(f"[{Chem.GetPeriodicTable().GetElementSymbol(z)}]") for z in range(1, 119)]
    block = MoleculeBlock(atoms)
    for name in ("period", "group"):
        slow = [SLOW_ATOMS[name](mol.GetAtomWithIdx(0)) for mol in atoms]
        assert atom_features[name](block).tolist() == [code(atom_features[name].vocabulary, value) for value in slow]


def test_block_without_molecules_and_without_bonds():
    for mols in ([], [Chem.MolFromSmiles("[Na+].[Cl-]")]):
        assert_as_slow_path(mols)


@pytest.mark.parametrize("smiles", SMILES)
def test_features_do_not_depend_on_how_the_smiles_is_written(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    for seed in (1, 2, 3):
        other_smiles, order = rewritten(smiles, seed)
        other = Chem.MolFromSmiles(other_smiles)
        for name in SLOW_ATOMS:
            first, second = (atom_features[name](MoleculeBlock([mol])) for mol in (molecule, other))
            assert first[order].tolist() == second.tolist(), (name, other_smiles)
        ends = [(order[bond.GetBeginAtomIdx()], order[bond.GetEndAtomIdx()]) for bond in other.GetBonds()]
        same = [molecule.GetBondBetweenAtoms(*pair).GetIdx() for pair in ends]
        for name in SLOW_BONDS:
            first, second = (bond_features[name](MoleculeBlock([mol])) for mol in (molecule, other))
            assert first[same].tolist() == second.tolist(), (name, other_smiles)


@needs_data
@pytest.mark.parametrize("file", ["smiles/zinc250k_test.smi.gz", "toymix/Tox21-7k-12-labels.csv.gz"])
def test_real_molecules_equal_slow_path(file):
    import_csv = pytest.importorskip("pandas").read_csv
    table = import_csv(DATA / file, header=0 if ".csv" in file else None, nrows=400)
    column = table["smiles"] if "smiles" in table else table[0]
    assert_as_slow_path([mol for mol in map(Chem.MolFromSmiles, column) if mol is not None])


def test_a_new_feature_is_one_small_function():
    name = "isotope_in_test"

    @atom_feature(Vocabulary(name, (0, 2)))
    def isotope(block):
        return block.atoms(Chem.Atom.GetIsotope)

    assert atom_features[name](MoleculeBlock([Chem.MolFromSmiles("[2H]C[3H]")])).tolist() == [1, 0, 2]
    with pytest.raises(ValueError, match="registered already"):
        atom_feature(Vocabulary(name, (0,)))(isotope)
    with pytest.raises(MolfoundError, match="did you mean 'charge'"):
        atom_features["chrage"]


def test_getter_runs_once_per_block():
    calls = []

    def count(atom):
        calls.append(atom)
        return 1

    feature = Feature(Vocabulary("counted", (1,)), lambda block: block.atoms(count))
    block = MoleculeBlock([Chem.MolFromSmiles("CC")])
    assert Registry is type(atom_features)
    assert feature(block).tolist() == feature(block).tolist() == [0, 0]
    assert len(calls) == 2
