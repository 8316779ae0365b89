"""The molecules of look-alikes: those of SMILES files or the embedded ones, and varied ones when they run out."""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path

from rdkit import Chem

from molfound.chem.parsing import parse_aloud, silenced_rdkit
from molfound.data.assembly import assemble_molecules
from molfound.data.tables import Table
from molfound.errors import MolfoundError

EMBEDDED = 400  # made, which is slow; the others are varied ones

MAX_HEAVY_ATOMS = 150
READ_AT_ONCE = 1024

_SUBSTITUENTS = (6, 6, 7, 8, 9, 17)  # atomic numbers: methyl twice, amino, hydroxyl, fluorine, chlorine
_FREE_CARBON = Chem.MolFromSmarts("[#6;!H0]")


def molecules(files: Sequence[Path], shuffled: bool, seed: int) -> Iterator[tuple[str, Chem.Mol]]:
    """Yield SMILES, and what RDKit reads from them, without end.

    They are those of the files, in their order, what RDKit refuses and what has more than `MAX_HEAVY_ATOMS` left out;
    without files the embedded ones. When they run out they come again, each with one more substituent than the last
    time, on carbons chosen at random.

    Args:
        files: SMILES files, or tables with a column ``smiles``.
        shuffled: whether the SMILES are written anew in a random order of the atoms.
        seed: of variations and orders.

    Raises:
        MolfoundError: a file that is missing or no table, or files without a molecule.
    """
    for round_ in count():
        found = False
        chance = random.Random(f"{seed} {round_}")
        for texts in _texts(files):
            with silenced_rdkit():
                read = [(text, parse_aloud(text, MAX_HEAVY_ATOMS)) for text in texts]
                sound = [(text, molecule) for text, molecule in read if isinstance(molecule, Chem.Mol)]
                if round_ or shuffled:
                    sound = [_rewritten(_varied(molecule, round_, chance), shuffled, chance) for _, molecule in sound]
            found = found or bool(sound)
            yield from sound
        if not found:
            raise MolfoundError(f"no molecule in {', '.join(map(str, files))}")


def _rewritten(molecule: Chem.Mol, shuffled: bool, chance: random.Random) -> tuple[str, Chem.Mol]:
    """Return a molecule's SMILES, canonical or in a random order of the atoms, and the molecule in this order."""
    if shuffled:
        [text] = Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=chance.randrange(1, 1 << 30))
    else:
        text = Chem.MolToSmiles(molecule)
    read = Chem.MolFromSmiles(text)
    if read is None:
        raise ValueError(f"RDKit does not read what it wrote: {text}")
    return text, read


def _texts(files: Sequence[Path]) -> Iterator[Sequence[str]]:
    if not files:
        yield _embedded()
        return
    for part in Table(files).blocks(["smiles"], READ_AT_ONCE):
        yield part["smiles"].to_pylist()


@cache
def _embedded() -> list[str]:
    return assemble_molecules(EMBEDDED, seed=0)


def _varied(molecule: Chem.Mol, substituents: int, chance: random.Random) -> Chem.Mol:
    """Return the molecule with so many hydrogens of carbons replaced, or fewer where it has no more."""
    if not substituents:
        return molecule
    sites = [site for (site,) in molecule.GetSubstructMatches(_FREE_CARBON)]
    # A hydrogen that is written out, as at a stereocentre, is not to be counted twice.
    free = [site for site in sites if not molecule.GetAtomWithIdx(site).GetNoImplicit()]
    edited = Chem.RWMol(molecule)
    for site in chance.sample(free, min(substituents, len(free))):
        edited.AddBond(site, edited.AddAtom(Chem.Atom(chance.choice(_SUBSTITUENTS))), Chem.BondType.SINGLE)
    Chem.SanitizeMol(edited)
    return edited.GetMol()
