"""Structure-data files (SDF): records of a Molfile and named properties."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rdkit import Chem

from molfound.chem.parsing import Rejection, parse, silenced_rdkit

END = "$$$$"
UNREADABLE = Rejection("invalid_molfile", "the record has no Molfile that can be read")


@dataclass(frozen=True)
class SdfRecord:
    """One molecule of an SDF.

    Attributes:
        molfile: its structure, as the file has it.
        properties: by name, each without its last line's end.
    """

    molfile: str
    properties: dict[str, str]


def sdf_records(lines: Iterable[str]) -> Iterator[SdfRecord]:
    r"""Yield the records of an SDF, of which only one is held at a time.

    A last record that no line of four dollars ends is one too; blank lines behind the last are not.

    Example:
        >>> text = "name\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n> <mass>\n1.5\n\n$$$$\n"
        >>> [record.properties for record in sdf_records(text.splitlines(keepends=True))]
        [{'mass': '1.5'}]
    """
    record: list[str] = []
    for line in lines:
        if line.rstrip() == END:
            yield _record(record)
            record = []
        else:
            record.append(line)
    if any(line.strip() for line in record):
        yield _record(record)


def molfile_smiles(molfile: str) -> str | None:
    """Return the canonical SMILES of a Molfile, or None if it cannot be read.

    Hydrogens are left out as `molfound.chem.parsing.parse` leaves them out, and stereochemistry is that of the
    coordinates. Of a molecule that chemistry forbids, the SMILES says what is written, so that parsing it tells why.

    Example:
        >>> molfile_smiles(Chem.MolToMolBlock(Chem.MolFromSmiles("OCC")))
        'CCO'
    """
    with silenced_rdkit():
        molecule = read_molfile(molfile)
        return None if isinstance(molecule, Rejection) else Chem.MolToSmiles(molecule)


def read_molfile(molfile: str) -> Chem.Mol | Rejection:
    """Return the molecule of a Molfile, its hydrogens left out, or that it cannot be read.

    One that chemistry forbids is not sanitized, for `molfound.chem.parsing.parse` to tell why.

    Example:
        >>> read_molfile("no connection table")
        Rejection(reason='invalid_molfile', detail='the record has no Molfile that can be read')
    """
    with silenced_rdkit():
        molecule = Chem.MolFromMolBlock(molfile) or Chem.MolFromMolBlock(molfile, sanitize=False)
        return molecule or UNREADABLE


def mapped_smiles(molfile: str) -> str | None:
    """Return the SMILES of a Molfile with atom-map numbers from 1, the order of its atoms, or None if there is none.

    The order is that in which a prediction tells values of the Molfile's atoms, hydrogens that are left out aside. Of a
    molecule that chemistry forbids, the SMILES is that of `molfile_smiles`, so that parsing it tells why.

    Example:
        >>> mapped_smiles(Chem.MolToMolBlock(Chem.MolFromSmiles("OCC")))
        '[OH:1][CH2:2][CH3:3]'
    """
    molecule = _ordered(molfile)
    if isinstance(molecule, Rejection):
        text = molfile_smiles(molfile)
        # Where the text could be read after all, labels would follow its order of atoms.
        return text if isinstance(parse(text), Rejection) else None
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(atom.GetIdx() + 1)
    return Chem.MolToSmiles(molecule, canonical=False)


def molfile_bonds(molfile: str) -> list[tuple[int, int]]:
    """Return the bonds of a Molfile in its order, each from its first atom to its second, without those left out.

    Atoms are numbered from 0, one less than in `mapped_smiles`. There is no bond where no molecule can be read.

    Example:
        >>> molfile_bonds(Chem.MolToMolBlock(Chem.MolFromSmiles("OCC")))
        [(0, 1), (1, 2)]
    """
    molecule = _ordered(molfile)
    bonds = [] if isinstance(molecule, Rejection) else molecule.GetBonds()
    return [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in bonds]


def _ordered(molfile: str) -> Chem.Mol | Rejection:
    """Return the molecule of a Molfile as the graph of a prediction has it, however large."""
    molecule = read_molfile(molfile)
    return molecule if isinstance(molecule, Rejection) else parse(molecule, max_heavy_atoms=molecule.GetNumAtoms())


def _record(lines: list[str]) -> SdfRecord:
    end = next((number for number, line in enumerate(lines) if line.startswith("M  END")), len(lines) - 1) + 1
    properties: dict[str, str] = {}
    values: list[str] | None = None
    for line in lines[end:]:
        if values is None and line.startswith(">"):
            values = []
            properties[_name(line)] = ""
        elif values is not None and line.strip():
            values.append(line.rstrip("\r\n"))
            properties[list(properties)[-1]] = "\n".join(values)
        else:
            values = None
    return SdfRecord("".join(lines[:end]), properties)


def _name(header: str) -> str:
    """Return the name between the first < and the last > behind it."""
    _, _, name = header[1:].partition("<")
    return name.rpartition(">")[0] or header[1:].strip()
