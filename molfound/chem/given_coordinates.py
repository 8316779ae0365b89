"""Coordinates that a dataset brings along, led to the atoms of its molecules and checked, or the reason why not."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from molfound.chem.conformers import ConformerProblem, Conformers, ProblemReason, coincident
from molfound.chem.distances import pair_distances

LONGEST_BOND = 1.3
"""In sums of two covalent radii; atoms two bonds apart are 1.6 or more."""

_MATCHES = 1000

Positions = npt.NDArray[np.float64]


def listed_coordinates(
    molecule: Chem.Mol, coordinates: Sequence[float] | None, atomic_numbers: Sequence[int] | None
) -> Conformers | ConformerProblem:
    """Return the coordinates of a list column, led to the molecule's atoms.

    The list holds all hydrogens or none. Where its elements are not those of the molecule's atoms in their order (with
    the hydrogens last or anywhere between), or bonded atoms would lie too far apart, the atoms are matched by the
    bonds that the distances show; what can be matched in several ways that are not equivalent is refused.

    Args:
        molecule: sanitized, of n atoms.
        coordinates: 3 m numbers in Å, x, y, z of one atom after the other, or [m, 3]; None: there are none.
        atomic_numbers: of the m atoms; None: they are the molecule's, then its hydrogens if they are there.

    Example:
        >>> water = Chem.MolFromSmiles("O")
        >>> listed_coordinates(water, [0, 0, 1, 0, 0, 0, 0.9, 0, 1.2], [1, 8, 1]).coordinates
        array([[[0., 0., 0.]]], dtype=float32)
        >>> listed_coordinates(water, [0, 0, 1, 0, 0, 0, 0.9, 0, 1.2], [1, 7, 1])
        ConformerProblem(reason='coordinates_elements', detail='HHN, the molecule is HHO')
    """
    if coordinates is None or len(coordinates) == 0:
        return ConformerProblem("coordinates_missing")
    try:
        flat = np.asarray(coordinates, np.float64).reshape(-1)
        listed = None if atomic_numbers is None else _whole_numbers(atomic_numbers)
    except (ValueError, TypeError, OverflowError):
        return ConformerProblem("coordinates_unreadable", "no list of numbers, or no list of atomic numbers")
    whole = Chem.AddHs(molecule)
    expected = _elements(whole)
    bare = expected[: molecule.GetNumAtoms()] if (expected[: molecule.GetNumAtoms()] != 1).all() else expected
    atoms = len(flat) // 3 if listed is None else len(listed)
    if len(flat) != 3 * atoms or atoms not in (len(expected), len(bare)):
        return ConformerProblem(
            "coordinates_count",
            f"{len(flat)} numbers for {atoms} atoms, the molecule has {len(bare)} without hydrogens, "
            f"{len(expected)} with them",
        )
    positions = flat.reshape(-1, 3)
    if problem := _flaw(positions):
        return ConformerProblem(problem)
    expected = expected if atoms == len(expected) else bare
    numbers = expected if listed is None else listed
    if not np.array_equal(np.sort(numbers), np.sort(expected)):
        return ConformerProblem("coordinates_elements", f"{_formula(numbers)}, the molecule is {_formula(expected)}")
    found = _in_order(molecule, numbers, positions, expected)
    if found is None and listed is not None:
        found = _matched(whole if atoms == whole.GetNumAtoms() else molecule, molecule, numbers, positions)
    if found is None:
        return ConformerProblem("coordinates_order", "atoms that the molecule bonds lie too far apart")
    return _given(found)


def cxsmiles_coordinates(smiles: str, molecule: Chem.Mol) -> Conformers | ConformerProblem:
    """Return the coordinates that a CXSMILES holds, which are those of its atoms in their order.

    Args:
        smiles: the text; RDKit would fill up with zeros what is missing in it.
        molecule: what `parse` made of it.

    Example:
        >>> from molfound.chem import parse
        >>> text = "[H]O |(0,0,1;0,0,0)|"
        >>> cxsmiles_coordinates(text, parse(text)).coordinates
        array([[[0., 0., 0.]]], dtype=float32)
        >>> cxsmiles_coordinates("CO |(0,0,1)|", parse("CO |(0,0,1)|"))
        ConformerProblem(reason='coordinates_count', detail='1 of 2 atoms')
    """
    core, *extension = smiles.split(maxsplit=1)
    found = _COORDINATES.search("".join(extension))
    if found is None:
        return ConformerProblem("coordinates_missing")
    triples = [triple.split(",") for triple in "".join(found[1].split()).rstrip(";").split(";")]
    written = Chem.MolFromSmiles(core, sanitize=False)
    if len(triples) != written.GetNumAtoms():
        return ConformerProblem("coordinates_count", f"{len(triples)} of {written.GetNumAtoms()} atoms")
    for number, triple in enumerate(triples):
        # RDKit writes a third coordinate of 0 as nothing at all.
        if len(triple) not in (2, 3) or not all(map(_NUMBER.fullmatch, [*triple[:2], triple[-1] or "0"])):
            return ConformerProblem("coordinates_unreadable", f"atom {number}: '{','.join(triple)}'")
    if len(triples) > 1 and not any("".join(triple[2:]) for triple in triples):
        return ConformerProblem("coordinates_flat", "no atom has a third coordinate")
    # RDKit leaves out the coordinates of the hydrogens that it takes in.
    return _checked(molecule.GetConformer().GetPositions())


def molblock_coordinates(block: str | None, molecule: Chem.Mol) -> Conformers | ConformerProblem:
    """Return the coordinates of a Molfile or of the first record of an SDF, led to the molecule's atoms.

    Args:
        block: its text; None: there is none.
        molecule: sanitized; its atoms need not have the block's order (see `listed_coordinates`).

    Example:
        >>> molecule = Chem.MolFromSmiles("CO")
        >>> molblock_coordinates(Chem.MolToMolBlock(molecule), molecule).reason
        'coordinates_flat'
    """
    if block is None or not block.strip():
        return ConformerProblem("coordinates_missing")
    read: Chem.Mol | None = Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
    if read is None:
        return ConformerProblem("coordinates_unreadable", "no Molfile")
    if read.GetNumAtoms() == 0:
        return ConformerProblem("coordinates_missing", "a Molfile without atoms")
    if read.GetNumAtoms() > 1 and not read.GetConformer().Is3D():
        return ConformerProblem("coordinates_flat", "a drawing")
    return listed_coordinates(molecule, read.GetConformer().GetPositions().reshape(-1), _elements(read).tolist())


_COORDINATES = re.compile(r"(?:^\||,)\(([^()]*)\)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf(inity)?)", re.IGNORECASE)


def _checked(positions: Positions) -> Conformers | ConformerProblem:
    problem = _flaw(positions)
    return ConformerProblem(problem) if problem else _given(positions)


def _flaw(positions: Positions) -> ProblemReason | None:
    if not (np.abs(positions) <= np.finfo(np.float32).max).all():
        return "coordinates_not_finite"
    return "coordinates_coincide" if coincident(positions) else None


def _given(positions: Positions) -> Conformers:
    coordinates = positions[None].astype(np.float32)
    return Conformers(coordinates, np.full(1, np.nan, np.float32), np.ones(1, np.bool_), "given")


def _in_order(
    molecule: Chem.Mol, numbers: npt.NDArray[np.int64], positions: Positions, expected: npt.NDArray[np.int64]
) -> Positions | None:
    """Return the positions of the molecule's atoms if the listed ones, or those that are no hydrogens, are in order."""
    count = molecule.GetNumAtoms()
    candidates = []
    if np.array_equal(numbers, expected):
        candidates.append(positions[:count])
    heavy = numbers != 1
    if np.array_equal(numbers[heavy], expected[:count]):
        candidates.append(positions[heavy])
    return next((found for found in candidates if _bonds_fit(molecule, found)), None)


def _bonds_fit(molecule: Chem.Mol, positions: Positions) -> bool:
    bonds = np.array(_bonds(molecule), np.int64).reshape(-1, 2)
    lengths = np.linalg.norm(positions[bonds[:, 0]] - positions[bonds[:, 1]], axis=1)
    return bool((lengths <= LONGEST_BOND * _RADII[_elements(molecule)][bonds].sum(1)).all())


def _matched(
    reference: Chem.Mol, molecule: Chem.Mol, numbers: npt.NDArray[np.int64], positions: Positions
) -> Positions | None:
    """Return the positions of the molecule's atoms, found by comparing its bonds with those that distances show.

    Args:
        reference: the molecule, with hydrogens if the positions have them.
        molecule: whose atoms are the first of the reference's.
        numbers: atomic numbers of the positions.
        positions: [m, 3].
    """
    bonds = _bonds(reference)
    seen = _skeleton(numbers.tolist(), _nearest_pairs(numbers, positions, len(bonds)))
    query = _skeleton(_elements(reference).tolist(), bonds)
    count = molecule.GetNumAtoms()
    matches = list(
        dict.fromkeys(m[:count] for m in seen.GetSubstructMatches(query, uniquify=False, maxMatches=_MATCHES))
    )
    if reference is molecule and len(matches) > 1:
        # Hydrogens alone tell a hydroxyl from a carbonyl oxygen, so several ways may not be equivalent ones.
        return None
    choices = (positions[list(match)] for match in matches)
    return next((found for found in choices if _bonds_fit(molecule, found) and _keeps_stereo(molecule, found)), None)


def _nearest_pairs(numbers: npt.NDArray[np.int64], positions: Positions, count: int) -> list[tuple[int, int]]:
    """Return so many pairs of atoms as there are bonds: those nearest by the measure of their covalent radii.

    A fixed length would join opposite corners of small cages, which lie hardly further apart than bonded atoms.
    """
    begin, end = np.triu_indices(len(numbers), 1)
    ratios = pair_distances(positions) / (_RADII[numbers[begin]] + _RADII[numbers[end]])
    chosen = np.argsort(ratios, kind="stable")[:count]
    return list(zip(begin[chosen].tolist(), end[chosen].tolist(), strict=True))


def _keeps_stereo(molecule: Chem.Mol, positions: Positions) -> bool:
    """Return whether the stereocentres and double bonds that the molecule specifies are so in three dimensions."""
    placed = Chem.Mol(molecule)
    placed.RemoveAllConformers()
    conformer = Chem.Conformer(molecule.GetNumAtoms())
    conformer.SetPositions(positions)
    placed.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(placed)
    given, found = _stereo_labels(molecule), _stereo_labels(placed)
    return all(found.get(place) == label for place, label in given.items())


def _stereo_labels(molecule: Chem.Mol) -> dict[tuple[str, int], object]:
    atoms = {("atom", a.GetIdx()): a.GetChiralTag() for a in molecule.GetAtoms() if a.GetChiralTag() in _TETRAHEDRAL}
    bonds = {("bond", b.GetIdx()): b.GetStereo() for b in molecule.GetBonds() if b.GetStereo() in _E_OR_Z}
    return {**atoms, **bonds}


_TETRAHEDRAL = (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW)
_E_OR_Z = (Chem.BondStereo.STEREOE, Chem.BondStereo.STEREOZ)
# A dummy atom has no radius; twice that of carbon leaves room for what it may stand for.
_RADII = np.array([1.5, *(Chem.GetPeriodicTable().GetRcovalent(number) for number in range(1, 119))])


def _skeleton(numbers: list[int], bonds: list[tuple[int, int]]) -> Chem.RWMol:
    """Return a molecule of which only the elements and who is bonded to whom are known."""
    skeleton = Chem.RWMol()
    for number in numbers:
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        skeleton.AddAtom(atom)
    for begin, end in bonds:
        skeleton.AddBond(begin, end, Chem.BondType.SINGLE)
    return skeleton


def _bonds(molecule: Chem.Mol) -> list[tuple[int, int]]:
    return [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]


def _elements(molecule: Chem.Mol) -> npt.NDArray[np.int64]:
    return np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], np.int64)


def _whole_numbers(values: Sequence[float]) -> npt.NDArray[np.int64]:
    """Return numbers of one list as integers.

    Raises:
        ValueError: one is missing or not whole, or there is no list of numbers.
    """
    numbers = np.asarray(values, np.float64)
    # Missing ones are NaN here, which equals nothing.
    if numbers.ndim != 1 or not (np.rint(numbers) == numbers).all() or not (np.abs(numbers) < 1e9).all():
        raise ValueError("no list of whole numbers")
    return numbers.astype(np.int64)


def _formula(numbers: npt.NDArray[np.int64]) -> str:
    return "".join(_symbol(number) for number in np.sort(numbers).tolist())


def _symbol(number: int) -> str:
    return Chem.GetPeriodicTable().GetElementSymbol(number) if 0 <= number < len(_RADII) else f"({number})"
