"""Coordinates in the store: what a block's molecules are given, and how a shard holds it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rdkit import Chem

from molfound.chem.conformers import ConformerBlock, ConformerOptions, conformers_of_smiles
from molfound.chem.drawings import drawings_of_smiles
from molfound.chem.edges import offsets
from molfound.chem.given_coordinates import cxsmiles_coordinates, listed_coordinates, molblock_coordinates
from molfound.data.cells import is_missing
from molfound.data.ragged import flat_values, list_column


@dataclass(frozen=True)
class CoordinateArrays:
    """The conformers of G molecules; one without coordinates has none.

    Attributes:
        coordinates: float32 ``[R, 3]`` in Å: for each molecule its conformers, the one of lowest energy first, for each
            conformer its nodes.
        ptr: int64 ``[G+1]``, molecule g's rows are ``ptr[g]:ptr[g+1]``.
        conformers: int64 ``[G]``, how many each molecule has.
    """

    coordinates: NDArray[np.float32]
    ptr: NDArray[np.int64]
    conformers: NDArray[np.int64]

    def __repr__(self) -> str:
        with_some = int((self.conformers > 0).sum())
        molecules = f"{with_some:,} of {len(self.conformers):,} molecules"
        return f"CoordinateArrays({molecules}, {self.conformers.sum():,} conformers)"


def block_conformers(
    recipe: Mapping[str, Any],
    smiles: Sequence[str],
    molecules: Sequence[Chem.Mol],
    columns: Sequence[Sequence[Any]],
    max_heavy_atoms: int,
) -> ConformerBlock:
    """Return the conformers of a block's molecules as a family's recipe says.

    Args:
        recipe: of the family.
        smiles: their SMILES.
        molecules: their molecules; not used where coordinates are made from the SMILES.
        columns: cells of each of the family's columns beyond the SMILES, at the molecules.
        max_heavy_atoms: the largest accepted molecule.

    Raises:
        MolfoundError: the process that embeds them died.
    """
    match recipe["source"]:
        case "generated":
            options = ConformerOptions(**recipe["options"])
            return conformers_of_smiles(
                smiles, options, max_heavy_atoms=max_heavy_atoms, hang_seconds=recipe["hang_seconds"]
            )
        case "drawn":
            return drawings_of_smiles(smiles, max_heavy_atoms=max_heavy_atoms)
        case "cxsmiles":
            return ConformerBlock.of(list(map(cxsmiles_coordinates, smiles, molecules)))
        case "molfile":
            return ConformerBlock.of(list(map(molblock_coordinates, columns[0], molecules)))
        case _:
            numbers = map(_listed, columns[1]) if len(columns) > 1 else [None] * len(smiles)
            coordinates = map(_flat, map(_listed, columns[0]))
            return ConformerBlock.of(list(map(listed_coordinates, molecules, coordinates, numbers)))


def coordinates_table(rows: NDArray[np.int64], block: ConformerBlock) -> pa.Table:
    """Return what a shard holds: a row per molecule, its conformers' coordinates, energies, source and problem."""
    problems = [block.problems.get(g) for g in range(len(block))]
    return pa.table(
        {
            "row": rows,
            "conformers": np.diff(block.conformer_ptr).astype(np.int32),
            "coordinates": list_column(block.coordinates, block.row_ptr),
            "energies": list_column(block.energies, block.conformer_ptr),
            "converged": list_column(block.converged.astype(np.uint8), block.conformer_ptr),
            "source": block.sources,
            "problem": pa.array([problem and problem.reason for problem in problems], pa.string()),
            "detail": pa.array([problem and problem.detail for problem in problems], pa.string()),
        }
    )


def coordinate_arrays(table: pa.Table) -> CoordinateArrays:
    """Return what shards hold, in flat arrays."""
    values, counts = flat_values(table["coordinates"])
    return CoordinateArrays(
        values.reshape(-1, 3), offsets(counts // 3), table["conformers"].to_numpy().astype(np.int64)
    )


def without_coordinates(graphs: int) -> CoordinateArrays:
    """Return the coordinates of a dataset that has none."""
    return CoordinateArrays(np.zeros((0, 3), np.float32), np.zeros(graphs + 1, np.int64), np.zeros(graphs, np.int64))


def _listed(cell: list[Any] | str | None) -> list[Any] | None:
    """Return a cell's list, which text holds as JSON; text that holds no list stays alone in one, for it to be told."""
    if not isinstance(cell, str):
        return cell
    if is_missing(cell):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return [cell]
    return found if isinstance(found, list) else [cell]


def _flat(cell: list[Any] | None) -> list[Any] | None:
    """Return a cell's numbers in one list, be they a list of triples or one list; a mixture stays what it is."""
    if not cell or not all(isinstance(item, list) for item in cell):
        return cell
    return list(chain.from_iterable(cell))
