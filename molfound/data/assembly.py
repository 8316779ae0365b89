"""Molecules that the code itself makes: fragments joined by RDKit at attachment points, seeded, each molecule once."""

import math
import random
from collections.abc import Sequence
from functools import cache

from rdkit import Chem, rdBase
from rdkit.Chem import rdPartialCharges

from molfound.data import fragments

HEAVY_ATOMS = range(6, 41)
CHAIN_SHARE = 0.05  # of the molecules: begun from a chain, the others from a ring
ALERT_RING_SHARE = 0.4  # of the rings
ALERT_GROUP_SHARE = 0.55  # of the linkers and substituents
NITROGEN_SHARE = 0.05  # of the CH groups of six-membered aromatic rings: turned into nitrogen
STEREO_SHARE = 0.3  # of the molecules: given a random configuration wherever they may have one


def assemble_molecules(count: int, seed: int) -> list[str]:
    """Return the canonical SMILES of `count` different molecules of 6 to 40 heavy atoms, the same for the same seed.

    Every molecule passes RDKit's sanitisation and has finite Gasteiger charges. A longer list begins with the shorter.

    >>> assemble_molecules(2, seed=0) == assemble_molecules(4, seed=0)[:2]
    True
    """
    chance = random.Random(seed)
    smiles: dict[str, None] = {}
    with rdBase.BlockLogs():
        while len(smiles) < count:
            molecule = _Assembly(chance).joined()
            if _is_sound(molecule):
                _configure(molecule, chance)
                read = Chem.MolFromSmiles(Chem.MolToSmiles(molecule))
                if read is not None and _has_charges(read):
                    smiles.setdefault(Chem.MolToSmiles(read))
    return list(smiles)


class _Assembly:
    """One molecule in the making: a tree of fragments, to be joined where two dummy atoms carry the same map number."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.pieces: list[Chem.Mol] = []
        self.joints = 0
        chain = chance.random() < CHAIN_SHARE
        root = _template(_member(fragments.CHAINS, chance)) if chain else self._ring()
        self._grow(root, None, branches=chance.choices((1, 2, 3, 4), (15, 35, 35, 15))[0], depth=1)

    def joined(self) -> Chem.Mol:
        """Return the molecule, not yet sanitised."""
        whole = self.pieces[0]
        for piece in self.pieces[1:]:
            whole = Chem.CombineMols(whole, piece)
        return Chem.molzip(whole)

    def _grow(self, skeleton: Chem.Mol, joint: int | None, branches: int, depth: int) -> None:
        """Hang a ring or chain on `joint` and as many fragments on it as `branches` says and its sites allow."""
        edited = Chem.RWMol(skeleton)
        sites = _sites(skeleton)
        self.chance.shuffle(sites)
        if joint is not None and sites:
            _open(edited, sites.pop(), joint)
        for site in sites[:branches]:
            self.joints += 1
            _open(edited, site, self.joints)
            self._branch(self.joints, _is_beside_heteroatom(skeleton.GetAtomWithIdx(site)), depth)
        self.pieces.append(edited.GetMol())

    def _branch(self, joint: int, wants_carbon: bool, depth: int) -> None:
        alert = self.chance.random() < ALERT_GROUP_SHARE
        if depth <= 2 and self.chance.random() < 0.45 / depth:
            self.joints += 1
            ends = [joint, further := self.joints]
            self.chance.shuffle(ends)
            linker = self._pick(fragments.ALERT_LINKERS if alert else fragments.LINKERS, wants_carbon)
            self.pieces.append(_mapped(linker, ends))
            self._grow(self._ring(), further, branches=self.chance.choice((0, 0, 1, 1, 2)), depth=depth + 1)
        else:
            group = self._pick(fragments.ALERT_SUBSTITUENTS if alert else fragments.SUBSTITUENTS, wants_carbon)
            self.pieces.append(_mapped(group, [joint]))

    def _pick(self, families: fragments.Families, wants_carbon: bool) -> Chem.Mol:
        while True:
            fragment = _template(_member(families, self.chance))
            if not wants_carbon or _begins_with_carbon(fragment):
                return fragment

    def _ring(self) -> Chem.Mol:
        alert = self.chance.random() < ALERT_RING_SHARE
        ring = _template(_member(fragments.ALERT_RINGS if alert else fragments.RINGS, self.chance))
        exchanged = [atom for atom in _aromatic_methines(ring) if self.chance.random() < NITROGEN_SHARE]
        if not exchanged:
            return ring
        edited = Chem.RWMol(ring)
        for atom in exchanged:
            edited.GetAtomWithIdx(atom).SetAtomicNum(7)
        Chem.SanitizeMol(edited)
        return edited.GetMol()


def _member(families: fragments.Families, chance: random.Random) -> str:
    return chance.choice(chance.choice(families))


@cache
def _template(smiles: str) -> Chem.Mol:
    return Chem.MolFromSmiles(smiles)


def _sites(molecule: Chem.Mol) -> list[int]:
    """Return the carbons and ring nitrogens whose hydrogen a fragment may replace."""
    return [
        atom.GetIdx()
        for atom in molecule.GetAtoms()
        if atom.GetTotalNumHs() and (atom.GetAtomicNum() == 6 or (atom.GetAtomicNum() == 7 and atom.IsInRing()))
    ]


def _aromatic_methines(molecule: Chem.Mol) -> list[int]:
    return [
        atom.GetIdx()
        for atom in molecule.GetAtoms()
        if atom.GetIsAromatic() and atom.GetAtomicNum() == 6 and atom.GetTotalNumHs() and atom.IsInRingSize(6)
    ]


def _is_beside_heteroatom(atom: Chem.Atom) -> bool:
    """Whether a heteroatom put here would make an aminal, an acetal or a bond between two heteroatoms."""
    saturated = atom.GetHybridization() == Chem.HybridizationType.SP3
    return bool(atom.GetAtomicNum() == 7 or (saturated and any(n.GetAtomicNum() != 6 for n in atom.GetNeighbors())))


def _begins_with_carbon(fragment: Chem.Mol) -> bool:
    """Whether every attachment point leads to a carbon, a sulfonyl or the like."""
    ends = [atom.GetNeighbors()[0] for atom in fragment.GetAtoms() if atom.GetAtomicNum() == 0]
    return all(end.GetAtomicNum() == 6 or end.GetDegree() == 4 for end in ends)


def _open(molecule: Chem.RWMol, site: int, joint: int) -> None:
    """Put a dummy atom with the map number `joint` in the place of a hydrogen of the atom `site`."""
    atom = molecule.GetAtomWithIdx(site)
    if atom.GetNumExplicitHs():
        atom.SetNumExplicitHs(atom.GetNumExplicitHs() - 1)
    dummy = Chem.Atom(0)
    dummy.SetAtomMapNum(joint)
    molecule.AddBond(site, molecule.AddAtom(dummy), Chem.BondType.SINGLE)


def _mapped(fragment: Chem.Mol, joints: Sequence[int]) -> Chem.Mol:
    mapped = Chem.Mol(fragment)
    for dummy, joint in zip((a for a in mapped.GetAtoms() if a.GetAtomicNum() == 0), joints, strict=True):
        dummy.SetAtomMapNum(joint)
    return mapped


def _is_sound(molecule: Chem.Mol) -> bool:
    """Whether the molecule has the size wanted, no open joint, and passes sanitisation, which is done in place."""
    return (
        molecule.GetNumHeavyAtoms() in HEAVY_ATOMS
        and molecule.GetNumHeavyAtoms() == molecule.GetNumAtoms()
        and Chem.SanitizeMol(molecule, catchErrors=True) == Chem.SanitizeFlags.SANITIZE_NONE
    )


def _configure(molecule: Chem.Mol, chance: random.Random) -> None:
    """Now and then give every undecided stereocentre and double bond a random configuration, in place.

    Atoms of several rings stay undecided: not every configuration of a bridge exists.
    """
    if chance.random() >= STEREO_SHARE:
        return
    for stereo in Chem.FindPotentialStereo(molecule):
        if stereo.specified != Chem.StereoSpecified.Unspecified:
            continue
        if stereo.type == Chem.StereoType.Atom_Tetrahedral:
            atom = molecule.GetAtomWithIdx(stereo.centeredOn)
            if molecule.GetRingInfo().NumAtomRings(atom.GetIdx()) <= 1:
                atom.SetChiralTag(chance.choice((Chem.CHI_TETRAHEDRAL_CW, Chem.CHI_TETRAHEDRAL_CCW)))
        elif stereo.type == Chem.StereoType.Bond_Double:
            bond = molecule.GetBondWithIdx(stereo.centeredOn)
            beside = min(stereo.controllingAtoms[:2]), min(stereo.controllingAtoms[2:])
            if max(beside) < molecule.GetNumAtoms():  # a hydrogen outside the graph is numbered far beyond its atoms
                bond.SetStereoAtoms(*beside)
                bond.SetStereo(chance.choice((Chem.BondStereo.STEREOCIS, Chem.BondStereo.STEREOTRANS)))


def _has_charges(molecule: Chem.Mol) -> bool:
    rdPartialCharges.ComputeGasteigerCharges(molecule)
    return all(math.isfinite(atom.GetDoubleProp("_GasteigerCharge")) for atom in molecule.GetAtoms())
