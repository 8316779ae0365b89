"""Conformers of molecules: ETKDGv3 embedding and MMFF94 relaxation, a pure function of the molecule and a seed.

Conformers are generated from the canonical SMILES, and its atoms led back to the order of the given molecule: what is
generated depends on the molecule alone, not on how it is written, nor on its row, its neighbours, the process or the
clock. Only the number of attempts and iterations limits the work.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.Chem.rdForceFieldHelpers import (
    MMFFOptimizeMoleculeConfs,
    UFFHasAllMoleculeParams,
    UFFOptimizeMoleculeConfs,
)

from molfound.chem.distances import pair_distances
from molfound.chem.edges import offsets
from molfound.chem.parsing import Rejection, parse_aloud, silenced_rdkit, without_map_numbers
from molfound.chem.watched import Hang, watched

CONFORMER_VERSION = "1"
"""Part of the key of stored conformers: to be raised when the same molecule yields other coordinates than before."""

COINCIDENT = 0.5
"""Å: atoms nearer than this, two thirds of the shortest bond (H-H, 0.74), lie on one another."""

FRAGMENT_GAP = 3.0
"""Å between the fragments of a salt, in one direction, where their relaxation begins."""

Source = Literal["absent", "mmff94", "uff", "none", "given", "drawn"]
SOURCES: tuple[Source, ...] = get_args(Source)
"""Where a molecule's coordinates come from: a force field, none (a lone atom needs none), the data, or a drawing."""

ProblemReason = Literal[
    "no_molecule",
    "conformer_too_large",
    "embedding_failed",
    "no_force_field",
    "conformer_hang",
    "coordinates_missing",
    "coordinates_unreadable",
    "coordinates_count",
    "coordinates_elements",
    "coordinates_order",
    "coordinates_flat",
    "coordinates_not_finite",
    "coordinates_coincide",
]
PROBLEM_REASONS: tuple[str, ...] = get_args(ProblemReason)


@dataclass(frozen=True, slots=True)
class ConformerProblem:
    """Why a molecule has no coordinates: one of `PROBLEM_REASONS`, and what is known beyond it (may be empty)."""

    reason: ProblemReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ConformerOptions:
    """How conformers are generated.

    Args:
        count: conformers per molecule; one that cannot be embedded is left out.
        seed: another seed yields other conformers of the same molecules.
        attempts: embeddings tried per conformer, from distances first and then, if all fail, from random coordinates.
        iterations: steps of the force field per conformer; one that has not converged by then is kept and marked.
        max_atoms: heavy atoms of the largest molecule that is embedded; the time grows with their cube.
    """

    count: int = 1
    seed: int = 0
    attempts: int = 30
    iterations: int = 500
    max_atoms: int = 256

    def __post_init__(self) -> None:
        for name in ("count", "attempts", "iterations", "max_atoms"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True)
class Conformers:
    """The C conformers of one molecule of n atoms, the one of lowest energy first.

    Args:
        coordinates: float32 [C, n, 3] in Å, atoms in the molecule's order.
        energies: float32 [C] in kcal/mol, of the molecule with all its hydrogens; NaN where no force field was used.
        converged: bool [C], whether the relaxation reached its end.
        source: where the coordinates come from.
    """

    coordinates: npt.NDArray[np.float32]
    energies: npt.NDArray[np.float32]
    converged: npt.NDArray[np.bool_]
    source: Source

    def __len__(self) -> int:
        return len(self.coordinates)

    def __repr__(self) -> str:
        return f"Conformers({len(self)} of {self.coordinates.shape[1]} atoms, {self.source})"


@dataclass(frozen=True)
class ConformerBlock:
    """The conformers of G molecules in flat arrays, C in all.

    A molecule without coordinates has no conformer, and its reason is in `problems`.

    Args:
        coordinates: float32 [R, 3] in Å, the conformers of each molecule laid end to end.
        row_ptr: int64 [G+1], molecule g's rows of `coordinates` are ``row_ptr[g]:row_ptr[g+1]``.
        conformer_ptr: int64 [G+1], its conformers are numbers ``conformer_ptr[g]:conformer_ptr[g+1]``.
        energies: float32 [C], see `Conformers`.
        converged: bool [C].
        sources: uint8 [G], numbers of `SOURCES`; 0, "absent", for a molecule without coordinates.
        problems: by molecule.
    """

    coordinates: npt.NDArray[np.float32]
    row_ptr: npt.NDArray[np.int64]
    conformer_ptr: npt.NDArray[np.int64]
    energies: npt.NDArray[np.float32]
    converged: npt.NDArray[np.bool_]
    sources: npt.NDArray[np.uint8]
    problems: dict[int, ConformerProblem]

    @classmethod
    def of(cls, outcomes: Sequence[Conformers | ConformerProblem]) -> Self:
        """Return the outcomes of G molecules in flat arrays."""
        found = [outcome for outcome in outcomes if isinstance(outcome, Conformers)]
        counts = [(len(o), o.coordinates.shape[1]) if isinstance(o, Conformers) else (0, 0) for o in outcomes]
        sizes = np.array(counts, np.int64).reshape(-1, 2)
        sources = [o.source if isinstance(o, Conformers) else "absent" for o in outcomes]
        return cls(
            coordinates=np.concatenate([np.zeros((0, 3), np.float32), *(o.coordinates.reshape(-1, 3) for o in found)]),
            row_ptr=offsets(sizes.prod(1)),
            conformer_ptr=offsets(sizes[:, 0]),
            energies=np.concatenate([np.zeros(0, np.float32), *(o.energies for o in found)]),
            converged=np.concatenate([np.zeros(0, np.bool_), *(o.converged for o in found)]),
            sources=np.array([SOURCES.index(source) for source in sources], np.uint8),
            problems={g: outcome for g, outcome in enumerate(outcomes) if isinstance(outcome, ConformerProblem)},
        )

    def outcome(self, g: int) -> Conformers | ConformerProblem:
        """Return the conformers of molecule g, or why it has none: what `of` was given."""
        if g in self.problems:
            return self.problems[g]
        conformers = slice(int(self.conformer_ptr[g]), int(self.conformer_ptr[g + 1]))
        rows = self.coordinates[self.row_ptr[g] : self.row_ptr[g + 1]]
        coordinates = rows.reshape(conformers.stop - conformers.start, -1, 3)
        source = SOURCES[self.sources[g]]
        return Conformers(coordinates, self.energies[conformers], self.converged[conformers], source)

    def __len__(self) -> int:
        return len(self.sources)

    def __repr__(self) -> str:
        return f"ConformerBlock({len(self)} molecules, {len(self.energies)} conformers, {len(self.problems)} without)"


def conformers_of_smiles(
    smiles: Iterable[object],
    options: ConformerOptions,
    *,
    max_heavy_atoms: int = 1000,
    hang_seconds: float | None = None,
) -> ConformerBlock:
    """Return the conformers of many molecules, whatever process they are computed in.

    Args:
        smiles: what a table's cells hold; atoms keep their order (see `parse`).
        options: how they are generated.
        max_heavy_atoms: the largest molecule that counts as one at all.
        hang_seconds: compute in another process, and end it when one molecule takes longer: its problem is then
            ``conformer_hang``, the only result that depends on a clock. None: compute here, however long it takes.

    Raises:
        MolfoundError: the other process died.

    Example:
        >>> block = conformers_of_smiles(["CO", "C(", "*C"], ConformerOptions(count=2))
        >>> block
        ConformerBlock(3 molecules, 2 conformers, 2 without)
        >>> block.coordinates.shape, block.row_ptr
        ((4, 3), array([0, 4, 4, 4]))
        >>> {g: problem.reason for g, problem in block.problems.items()}
        {1: 'no_molecule', 2: 'no_force_field'}
    """
    outcome = partial(_outcome, options, max_heavy_atoms)
    if hang_seconds is not None:
        hang = ConformerProblem("conformer_hang", f"more than {hang_seconds:g} s")
        outcomes = watched(outcome, list(smiles), hang_seconds)
        return ConformerBlock.of([hang if isinstance(found, Hang) else found for found in outcomes])
    with silenced_rdkit():
        return ConformerBlock.of(list(map(outcome, smiles)))


def _outcome(options: ConformerOptions, max_heavy_atoms: int, smiles: object) -> Conformers | ConformerProblem:
    molecule = parse_aloud(smiles, max_heavy_atoms)
    if isinstance(molecule, Rejection):
        return ConformerProblem("no_molecule", molecule.reason)
    return generate_conformers(molecule, options)


def generate_conformers(molecule: Chem.Mol, options: ConformerOptions) -> Conformers | ConformerProblem:
    """Return conformers of a sanitized molecule, or why there are none.

    ETKDGv3 (Wang et al., J. Chem. Inf. Model. 60, 2044, 2020) embeds the molecule with all its hydrogens, MMFF94
    (Halgren, J. Comput. Chem. 17, 490, 1996) relaxes it, or UFF (Rappé et al., J. Am. Chem. Soc. 114, 10024, 1992)
    where MMFF94 lacks a parameter. The fragments of a salt are embedded each for itself, set side by side and relaxed
    together. Stereochemistry that the molecule leaves open is chosen at random. Each conformer is centred on the mean
    of its atoms.

    Args:
        molecule: its atoms, hydrogens among them or not, are those that are given coordinates.
        options: how they are generated.

    Example:
        >>> butane = Chem.MolFromSmiles("CCCC")
        >>> found = generate_conformers(butane, ConformerOptions(count=3))
        >>> found
        Conformers(3 of 4 atoms, mmff94)
        >>> np.linalg.norm(found.coordinates[0, 0] - found.coordinates[0, 1]).round(1)
        np.float32(1.5)
        >>> generate_conformers(Chem.MolFromSmiles("C1CC2CCC1=C2"), ConformerOptions()).reason
        'embedding_failed'
    """
    heavy = molecule.GetNumHeavyAtoms()
    if heavy > options.max_atoms:
        return ConformerProblem("conformer_too_large", f"{heavy} heavy atoms, the limit is {options.max_atoms}")
    text, canonical, places = canonical_numbering(molecule)
    whole = Chem.AddHs(canonical)
    if whole.GetNumAtoms() == 1:
        return _lone_atom()
    if not _embedded(whole, options, _seed(text, options.seed)):
        return ConformerProblem("embedding_failed", f"{options.attempts} attempts, and as many from random coordinates")
    _part_fragments(whole)
    relaxed = _relaxed(whole, options.iterations)
    if relaxed is None:
        return ConformerProblem("no_force_field", "neither MMFF94 nor UFF has parameters for all its atoms")
    source, converged, energies = relaxed
    # Added hydrogens follow the atoms that were there, so leaving off the end removes them.
    positions = np.stack([conformer.GetPositions() for conformer in whole.GetConformers()])[:, places]
    sound = np.array([np.isfinite(each).all() and not coincident(each) for each in positions]) & np.isfinite(energies)
    if not sound.any():
        return ConformerProblem("coordinates_coincide", f"after relaxation by {source}")
    order = np.flatnonzero(sound)[np.argsort(energies[sound], kind="stable")]
    centred = positions[order] - positions[order].mean(1, keepdims=True)
    return Conformers(centred.astype(np.float32), energies[order].astype(np.float32), converged[order], source)


def coincident(coordinates: npt.NDArray[np.floating]) -> bool:
    """Return whether any two of n atoms, [n, 3] in Å, are nearer than `COINCIDENT`."""
    return len(coordinates) > 1 and bool(pair_distances(coordinates).min() < COINCIDENT)


def canonical_numbering(molecule: Chem.Mol) -> tuple[str, Chem.Mol, list[int]]:
    """Return the canonical SMILES, the molecule read from it, and the number in that of each of the given atoms."""
    bare = without_map_numbers(molecule)
    text = Chem.MolToSmiles(bare)
    written = [int(number) for number in bare.GetProp("_smilesAtomOutputOrder")[1:-1].split(",") if number]
    places = np.argsort(written).tolist()
    canonical = Chem.MolFromSmiles(text)
    if canonical is None or canonical.GetNumAtoms() != len(places):
        # Hydrogens given as atoms would be taken in, and a rare SMILES that RDKit writes it does not read.
        return text, bare, list(range(len(places)))
    return text, canonical, places


def _seed(text: str, seed: int) -> int:
    """Return a positive seed for RDKit, far enough below its limit that the conformers' numbers can be added."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {text}".encode(), digest_size=4).digest()) >> 2


def _lone_atom() -> Conformers:
    return Conformers(np.zeros((1, 1, 3), np.float32), np.full(1, np.nan, np.float32), np.ones(1, np.bool_), "none")


def _embedded(whole: Chem.Mol, options: ConformerOptions, seed: int) -> bool:
    """Put conformers into the molecule, and return whether there is one at least."""
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.enableSequentialRandomSeeds = True
    parameters.maxIterations = options.attempts
    if len(rdDistGeom.EmbedMultipleConfs(whole, options.count, parameters)):
        return True
    parameters.useRandomCoords = True
    return len(rdDistGeom.EmbedMultipleConfs(whole, options.count, parameters)) > 0


def _part_fragments(whole: Chem.Mol) -> None:
    """Set the fragments side by side, in place: embedded each for itself, they all lie around the origin."""
    fragments = [list(atoms) for atoms in Chem.GetMolFrags(whole)]
    if len(fragments) == 1:
        return
    for conformer in whole.GetConformers():
        positions = conformer.GetPositions()
        end = 0.0
        for atoms in fragments:
            positions[atoms, 0] += end - positions[atoms, 0].min()
            end = positions[atoms, 0].max() + FRAGMENT_GAP
        conformer.SetPositions(positions)


def _relaxed(whole: Chem.Mol, iterations: int) -> tuple[Source, npt.NDArray[np.bool_], npt.NDArray[np.float64]] | None:
    """Relax every conformer in place; return the force field, which of them converged, and their energies."""
    source: Source = "mmff94"
    # With nothing between the fragments of a salt they would move neither together nor apart.
    outcome = MMFFOptimizeMoleculeConfs(whole, maxIters=iterations, ignoreInterfragInteractions=False)
    if outcome[0][0] == -1:
        if not UFFHasAllMoleculeParams(whole):
            return None
        source = "uff"
        outcome = UFFOptimizeMoleculeConfs(whole, maxIters=iterations, ignoreInterfragInteractions=False)
    states, energies = zip(*outcome, strict=True)
    return source, np.array(states) == 0, np.array(energies, np.float64)
