"""Atom and bond features: for each a vocabulary and one small function over a block of molecules.

A new feature is such a function in a file of one's own:

>>> from molfound.chem import MoleculeBlock, Vocabulary, atom_feature
>>> @atom_feature(Vocabulary("isotope_label", tuple(range(4))))
... def isotope_label(block: MoleculeBlock) -> np.ndarray:
...     return block.atoms(Chem.Atom.GetIsotope)
>>> atom_features["isotope_label"](MoleculeBlock([Chem.MolFromSmiles("[2H]C")]))
array([2, 0], dtype=uint8)

No feature may depend on the order of the atoms: what RDKit states relative to that order (the chiral tags CW and CCW,
bonds CIS and TRANS to chosen neighbours) is not used; the labels R, S, E and Z are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdqueries

from molfound.chem.molecules import MoleculeBlock
from molfound.chem.vocabulary import Vocabulary
from molfound.registry import Registry

Values = Callable[[MoleculeBlock], npt.NDArray[Any]]


@dataclass(frozen=True)
class Feature:
    """A registered feature: called with a block, it returns the code of each of the block's atoms, or bonds.

    Args:
        vocabulary: what the codes stand for.
        values: the function from a block to one integer or boolean per atom, or bond.

    Example:
        >>> atom_features["charge"](MoleculeBlock([Chem.MolFromSmiles("C[O-]")]))
        array([4, 3], dtype=uint8)
        >>> atom_features["charge"].vocabulary.values[3]
        -1
    """

    vocabulary: Vocabulary
    values: Values

    def __post_init__(self) -> None:
        # A plugin's feature is known as such by where its function was defined.
        object.__setattr__(self, "__module__", self.values.__module__)

    def __call__(self, block: MoleculeBlock) -> npt.NDArray[np.uint8]:
        """Return the codes, [N] or [B]."""
        return self.vocabulary.encode(self.values(block))


atom_features: Registry[Feature] = Registry("atom feature")
bond_features: Registry[Feature] = Registry("bond feature")


def atom_feature(vocabulary: Vocabulary) -> Callable[[Values], Values]:
    """Return a decorator that registers a function over a block's atoms under its vocabulary's name."""
    return _feature(atom_features, vocabulary)


def bond_feature(vocabulary: Vocabulary) -> Callable[[Values], Values]:
    """Return a decorator that registers a function over a block's bonds under its vocabulary's name."""
    return _feature(bond_features, vocabulary)


def _feature(registry: Registry[Feature], vocabulary: Vocabulary) -> Callable[[Values], Values]:
    def register(values: Values) -> Values:
        registry.register(vocabulary.name)(Feature(vocabulary, values))
        return values

    return register


_NOBLE_GASES = np.array([2, 10, 18, 36, 54, 86, 118])
_FLAG = (0, 1)
_LIKELY_HYBRIDIZATIONS = {
    int(Chem.HybridizationType.SP2): Chem.MolFromSmarts("[^2]").GetAtomWithIdx(0),
    int(Chem.HybridizationType.SP3): Chem.MolFromSmarts("[^3]").GetAtomWithIdx(0),
}
_LIKELY_BOND_TYPES = {
    int(Chem.BondType.SINGLE): Chem.MolFromSmarts("*-*").GetBondWithIdx(0),
    int(Chem.BondType.AROMATIC): Chem.MolFromSmarts("*:*").GetBondWithIdx(0),
}


@atom_feature(Vocabulary("atomic_number", tuple(range(1, 119))))
def atomic_number(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Protons of the nucleus; 0, a dummy atom, is "other"."""
    return block.atoms(Chem.Atom.GetAtomicNum)


@atom_feature(Vocabulary("period", tuple(range(1, 8))))
def period(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Row of the periodic table, 1 to 7."""
    return _PERIODS[atomic_number(block)]


@atom_feature(Vocabulary("group", tuple(range(1, 19))))
def group(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Column of the periodic table, 1 to 18; the f block (La to Yb, Ac to No) has none and is "other"."""
    return _GROUPS[atomic_number(block)]


@atom_feature(Vocabulary("total_valence", tuple(range(9))))
def total_valence(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Sum of the bond orders, bonds to implicit hydrogens included."""
    return block.atoms(Chem.Atom.GetTotalValence)


@atom_feature(Vocabulary("degree", tuple(range(9))))
def degree(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Number of neighbours in the graph."""
    return np.bincount(np.concatenate([block.begin, block.end]), minlength=block.atom_count)


@atom_feature(Vocabulary("total_degree", tuple(range(11))))
def total_degree(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Number of neighbours, implicit hydrogens included."""
    return block.atoms(Chem.Atom.GetTotalDegree)


@atom_feature(Vocabulary("charge", tuple(range(-4, 5))))
def charge(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Formal charge, in elementary charges."""
    return block.atoms_at(block.matches(_UNUSUAL_ATOM), Chem.Atom.GetFormalCharge)


@atom_feature(Vocabulary("radicals", tuple(range(5))))
def radicals(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Number of unpaired electrons."""
    return block.atoms_at(block.matches(_UNUSUAL_ATOM), Chem.Atom.GetNumRadicalElectrons)


@atom_feature(Vocabulary("aromatic", _FLAG))
def aromatic(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Whether the atom is part of an aromatic system in RDKit's model, that is an end of an aromatic bond."""
    return _ends(block, bond_type(block) == int(Chem.BondType.AROMATIC))


@atom_feature(Vocabulary("in_ring", _FLAG))
def in_ring(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Whether the atom is part of a ring, that is an end of a ring bond."""
    return _ends(block, bond_in_ring(block) != 0)


@atom_feature(Vocabulary("chirality", ("none", "R", "S"), numbers=(0, 1, 2)))
def chirality(block: MoleculeBlock) -> npt.NDArray[Any]:
    """CIP label of a tetrahedral centre; "other": a centre without a label, or of another geometry."""
    return block.atoms_at(block.matches(_UNUSUAL_ATOM), _cip_number)


@atom_feature(
    Vocabulary.of_enumeration(
        "hybridization", Chem.HybridizationType, ("S", "SP", "SP2", "SP3", "SP2D", "SP3D", "SP3D2", "UNSPECIFIED")
    )
)
def hybridization(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Hybridization in RDKit's model."""
    return block.atom_members(Chem.Atom.GetHybridization, _LIKELY_HYBRIDIZATIONS)


@atom_feature(Vocabulary("hydrogens", tuple(range(7))))
def hydrogens(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Number of hydrogens on the atom, whether implicit, written in brackets, or atoms of the graph."""
    return block.atoms(Chem.Atom.GetTotalNumHs, True)


@bond_feature(
    Vocabulary.of_enumeration(
        "bond_type", Chem.BondType, ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC", "QUADRUPLE", "DATIVE", "ZERO")
    )
)
def bond_type(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Type of the bond, aromatic bonds being a type of their own."""
    return block.bond_members(Chem.Bond.GetBondType, _LIKELY_BOND_TYPES)


@bond_feature(Vocabulary.of_enumeration("stereo", Chem.BondStereo, ("STEREONONE", "STEREOANY", "STEREOZ", "STEREOE")))
def stereo(block: MoleculeBlock) -> npt.NDArray[Any]:
    """CIP label of a double bond; one that has stereochemistry without a label is "other"."""
    return block.bonds_where(bond_type(block) == int(Chem.BondType.DOUBLE), Chem.Bond.GetStereo)


@bond_feature(Vocabulary("conjugated", _FLAG))
def conjugated(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Whether the bond is conjugated in RDKit's model; aromatic bonds are."""
    is_aromatic = bond_type(block) == int(Chem.BondType.AROMATIC)
    return np.where(is_aromatic, 1, block.bonds_where(~is_aromatic, Chem.Bond.GetIsConjugated))


@bond_feature(Vocabulary("bond_in_ring", _FLAG))
def bond_in_ring(block: MoleculeBlock) -> npt.NDArray[Any]:
    """Whether the bond is part of a ring."""
    return block.bonds(Chem.Bond.IsInRing)


def _periods_and_groups() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return period and group by atomic number, 0 where there is none."""
    numbers = np.arange(119)
    row = np.searchsorted(_NOBLE_GASES, numbers)
    from_left = numbers - np.concatenate([[0], _NOBLE_GASES])[row]
    from_right = 18 - (_NOBLE_GASES[row] - numbers)
    # The first two columns count from the left, the others from the noble gas back; helium is in column 18.
    groups = np.where((from_left <= 2) & (numbers != 2), from_left, np.where(from_right >= 3, from_right, 0))
    return np.where(numbers > 0, row + 1, 0), groups


_PERIODS, _GROUPS = _periods_and_groups()


def _ends(block: MoleculeBlock, bonds: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which atoms are an end of any of the chosen bonds: cheaper than asking the atoms once more."""
    ends = np.zeros(block.atom_count, dtype=bool)
    ends[block.begin[bonds]] = True
    ends[block.end[bonds]] = True
    return ends


def _unusual_atom() -> Chem.Mol:
    """Return a query for what most atoms are not: charged, radical, or a stereocentre; one query serves all three."""
    atom = rdqueries.HasChiralTagQueryAtom()
    atom.ExpandQuery(rdqueries.FormalChargeEqualsQueryAtom(0, negate=True), Chem.COMPOSITE_OR)
    atom.ExpandQuery(rdqueries.NumRadicalElectronsEqualsQueryAtom(0, negate=True), Chem.COMPOSITE_OR)
    query = Chem.RWMol(Chem.MolFromSmarts("*"))
    query.ReplaceAtom(0, atom)
    return query.GetMol()


_UNUSUAL_ATOM = _unusual_atom()
_TETRAHEDRAL = (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW)


def _cip_number(atom: Chem.Atom) -> int:
    """Return 0 for no stereocentre, 1 for R, 2 for S, 3 for a stereocentre that has no such label."""
    tag = atom.GetChiralTag()
    if tag == Chem.ChiralType.CHI_UNSPECIFIED:
        return 0
    if tag not in _TETRAHEDRAL or not atom.HasProp("_CIPCode"):
        return 3
    return {"R": 1, "S": 2}.get(atom.GetProp("_CIPCode"), 3)
