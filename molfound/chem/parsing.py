"""From SMILES to a molecule or the reason why there is none."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args
from unicodedata import category

from rdkit import Chem, rdBase

Reason = Literal[
    "empty_smiles",
    "restricted",
    "nul_character",
    "invalid_smiles",
    "invalid_molfile",
    "invalid_molecule",
    "no_atoms",
    "too_many_atoms",
]
REASONS: tuple[str, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an input is no molecule: one of `REASONS`, and what is known beyond it (may be empty).

    Example:
        >>> Rejection("no_atoms", "")
        Rejection(reason='no_atoms', detail='')
    """

    reason: Reason
    detail: str


def parse(smiles: object, *, max_heavy_atoms: int = 1000) -> Chem.Mol | Rejection:
    """Return the sanitized molecule of a SMILES, its atoms in the order of the SMILES, or a `Rejection`.

    An RDKit molecule is taken as its SMILES would be, with its own order of atoms and bonds and no atom-map numbers. A
    `Rejection`, of what another reader could not read, stays what it is.

    Salts, charges and isotopes stay what they are. As RDKit does by default, plain explicit hydrogens (``[H]``) become
    part of their neighbour; every other atom keeps its place in the order. Atom-map numbers stay, and change nothing
    else. What is no text (None, NaN, a number) counts as an empty SMILES. RDKit's log messages do not appear.

    Args:
        smiles: what a table's cell holds, a molecule or a rejection; blanks around a text are ignored, and so is a name
            after a blank or a tab.
        max_heavy_atoms: the largest accepted number of atoms other than hydrogen; dummy atoms count.

    Example:
        >>> parse("CCO").GetNumAtoms()
        3
        >>> parse("C(C)(C)(C)(C)C")
        Rejection(reason='invalid_smiles', detail='Explicit valence for atom # 0 C, 5, is greater than permitted')
        >>> parse(float("nan")).reason
        'empty_smiles'
    """
    with silenced_rdkit():
        return parse_aloud(smiles, max_heavy_atoms)


def parse_aloud(smiles: object, max_heavy_atoms: int) -> Chem.Mol | Rejection:
    """Do what `parse` does, for callers that have silenced RDKit around many molecules already."""
    if isinstance(smiles, Chem.Mol):
        return _taken(smiles, max_heavy_atoms)
    if isinstance(smiles, Rejection):
        return smiles
    if not isinstance(smiles, str):
        return Rejection("empty_smiles", f"no text but {type(smiles).__name__}")
    text = smiles.strip()
    if "\0" in text:
        return Rejection("nul_character", f"at character {smiles.index(chr(0)) + 1}")
    if not text:
        return Rejection("empty_smiles", "")
    if text.lower() == "restricted":
        return Rejection("restricted", "")
    # RDKit reads up to a line's end and leaves out what follows. Hardly any text has a character that is not printable.
    if not text.isprintable() and (problem := _control_character(text)) is not None:
        return Rejection("invalid_smiles", problem)
    if not text.isascii():
        # No SMILES holds such characters, a name behind it may; RDKit cannot take those that UTF-8 does not encode.
        text = text.encode("ascii", "replace").decode()
    molecule = _read(text)
    if molecule is None:
        return Rejection("invalid_smiles", _chemistry_problem(text))
    return _within_limits(molecule, max_heavy_atoms)


def without_map_numbers(molecule: Chem.Mol) -> Chem.Mol:
    """Return the molecule, or a copy of it, without atom-map numbers, which are names of atoms and no chemistry."""
    if all(atom.GetAtomMapNum() == 0 for atom in molecule.GetAtoms()):
        return molecule
    bare = Chem.Mol(molecule)
    for atom in bare.GetAtoms():
        atom.SetAtomMapNum(0)
    return bare


def _taken(given: Chem.Mol, max_heavy_atoms: int) -> Chem.Mol | Rejection:
    """Return a molecule as `parse` would return that of its SMILES, in its own order."""
    molecule = Chem.Mol(given)
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
    if Chem.SanitizeMol(molecule, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        problems = Chem.DetectChemistryProblems(given)
        return Rejection("invalid_molecule", problems[0].Message() if problems else "")
    molecule = Chem.RemoveHs(molecule)
    for bond in molecule.GetBonds():
        if bond.GetStereo() == Chem.BondStereo.STEREOANY:  # which no SMILES says
            bond.SetStereo(Chem.BondStereo.STEREONONE)
            bond.SetBondDir(Chem.BondDir.NONE)
    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
    return _within_limits(molecule, max_heavy_atoms)


def _within_limits(molecule: Chem.Mol, max_heavy_atoms: int) -> Chem.Mol | Rejection:
    atoms = molecule.GetNumAtoms()
    if atoms == 0:
        return Rejection("no_atoms", "")
    # The first comparison spares nearly every molecule the second, which walks over the atoms.
    if atoms > max_heavy_atoms and (heavy := _heavy_atom_count(molecule)) > max_heavy_atoms:
        return Rejection("too_many_atoms", f"{heavy} heavy atoms, the limit is {max_heavy_atoms}")
    return molecule


_silence_lock = threading.Lock()
_silence_depth = 0
_silence: rdBase.BlockLogs | None = None


@contextmanager
def silenced_rdkit() -> Iterator[None]:
    """Keep RDKit's messages from the log while the context lasts, and restore the log's state at its end.

    RDKit's switches belong to the process, and a `BlockLogs` that ends in one thread would let the messages of another
    through; so all threads share one, which ends with the last of them.

    Example:
        >>> with silenced_rdkit():
        ...     Chem.MolFromSmiles("C1CC") is None
        True
    """
    global _silence_depth, _silence
    with _silence_lock:
        if _silence_depth == 0:
            _silence = rdBase.BlockLogs()
        _silence_depth += 1
    try:
        yield
    finally:
        with _silence_lock:
            _silence_depth -= 1
            if _silence_depth == 0:
                _silence = None


# Characters that ask for more than atoms and bonds: stereochemistry, an extension or a name.
_BEYOND_ATOMS_AND_BONDS = frozenset("@/\\| \t")


def _read(smiles: str) -> Chem.Mol | None:
    """Return the molecule of `Chem.MolFromSmiles`, a quarter sooner without stereochemistry and plain hydrogens.

    There, assigning stereochemistry and removing hydrogens would change nothing that a graph or a SMILES shows (only
    the CIP ranks, which RDKit's parser leaves behind, are missing), and sanitization is all that is left.
    """
    # A regular expression would allocate memory that costs RDKit's allocations more than the search takes. So may plain
    # hydrogens begin, which RDKit removes: [H], [#1] and, with isotope 0, [0H] and [0#1].
    if not _BEYOND_ATOMS_AND_BONDS.isdisjoint(smiles) or "[H" in smiles or "[#1" in smiles or "[0" in smiles:
        molecule = _parsed(smiles, sanitize=True)
        return molecule if molecule is None or ":" not in smiles else _with_stereo_of_chemistry(molecule)
    molecule = _parsed(smiles, sanitize=False)
    if molecule is None or Chem.SanitizeMol(molecule, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    return molecule


def _with_stereo_of_chemistry(molecule: Chem.Mol) -> Chem.Mol:
    """Return a molecule whose stereochemistry was assigned without its atom-map numbers.

    RDKit ranks the neighbours of a centre by their map numbers too, before what they are bonded to: R would become S,
    and equal neighbours different ones.
    """
    numbers = [atom.GetAtomMapNum() for atom in molecule.GetAtoms()]
    if not any(numbers):
        return molecule
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
    for atom, number in zip(molecule.GetAtoms(), numbers, strict=True):
        atom.SetAtomMapNum(number)
    return molecule


def _parsed(smiles: str, *, sanitize: bool) -> Chem.Mol | None:
    # RDKit's annotations leave out that it returns None for what it cannot read.
    return Chem.MolFromSmiles(smiles, sanitize=sanitize)


def _chemistry_problem(smiles: str) -> str:
    """Return RDKit's complaint about a SMILES that it refuses; parsing it once more is paid by bad molecules only."""
    molecule = _parsed(smiles, sanitize=False)
    if molecule is None:
        return "not in the grammar of SMILES"
    problems = Chem.DetectChemistryProblems(molecule)
    return problems[0].Message() if problems else ""


def _control_character(text: str) -> str | None:
    """Return a complaint about the first control character, a tab before a name aside."""
    at = next((at for at, character in enumerate(text) if category(character) == "Cc" and character != "\t"), None)
    return None if at is None else f"control character {text[at]!r} at character {at + 1}"


def _heavy_atom_count(molecule: Chem.Mol) -> int:
    return sum(atom.GetAtomicNum() != 1 for atom in molecule.GetAtoms())
