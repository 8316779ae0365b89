"""The molecules that a model is given: SMILES, RDKit molecules, or the rows of a file, block by block."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from rdkit import Chem

from molfound.chem.parsing import silenced_rdkit
from molfound.chem.sdf import read_molfile
from molfound.data.smiles_column import smiles_column
from molfound.data.table_files import is_table_file
from molfound.data.tables import Table
from molfound.errors import MolfoundError

BLOCK_ROWS = 4096
TEXTS = (pa.types.is_string, pa.types.is_binary, pa.types.is_large_binary)  # some writers call text bytes
OTHER_FILES = (".mol", ".mol2", ".pdb", ".xlsx", ".json", ".jsonl", ".feather")  # hold no table that is read


@dataclass(frozen=True)
class MoleculeRows:
    """Some consecutive rows of an input.

    Attributes:
        smiles: ``[R]`` strings, as results show them; null where there is no text.
        read: ``[R]``, what the graphs are made of: the same texts, RDKit molecules, or why a record has none; whatever
            else there is, is no molecule.
        kept: other columns of the input that go into the result.
    """

    smiles: pa.Array
    read: Sequence[object]
    kept: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.smiles)


class MoleculeSource(Protocol):
    """Molecules that come in blocks.

    Attributes:
        path: the file that they are read from; None: they are in memory.
    """

    path: Path | None

    def about_rows(self) -> int:
        """Return about how many rows there are."""
        ...

    def blocks(self) -> Iterator[MoleculeRows]:
        """Yield them in their order."""
        ...


class GivenMolecules:
    """Molecules in memory.

    Args:
        molecules: SMILES and RDKit molecules; what is neither is a row without a molecule. Of a table, its one column.

    Raises:
        MolfoundError: a table of several columns.
    """

    def __init__(self, molecules: Iterable[object]) -> None:
        self.path: Path | None = None
        self.molecules = one_column(molecules)

    def about_rows(self) -> int:
        """Return how many there are."""
        return len(self.molecules)

    def blocks(self) -> Iterator[MoleculeRows]:
        """Yield them in their order; at least one block."""
        for first in range(0, max(len(self.molecules), 1), BLOCK_ROWS):
            yield molecule_rows(self.molecules[first : first + BLOCK_ROWS])


class TableMolecules:
    """The molecules of a file: CSV, TSV, Parquet, SMILES file or SDF, read in bounded memory.

    Args:
        path: the file.
        column: of the SMILES; None: the first whose name, in either case, is usual (see `smiles_column`).
        keep: other columns that go into the result.

    Raises:
        MolfoundError: a file that is missing, of another kind or unreadable, no such column, or one that holds no text.
    """

    def __init__(self, path: Path, column: str | None = None, keep: Sequence[str] = ()) -> None:
        self.path: Path | None = path
        self.table = Table([path])
        self.column = smiles_column(self.table.columns, column, path)
        held = self.table.types[self.column]
        if not any(is_text(held) for is_text in TEXTS):
            raise self._no_smiles(str(held))
        self.table.require(keep)
        if self.column in keep:
            raise MolfoundError(
                f"column '{self.column}' has the SMILES, which every result has: leave it out of --keep"
            )
        self.keep = list(dict.fromkeys(keep))
        self._has_molfiles = path.name.lower().removesuffix(".gz").endswith(".sdf")

    def about_rows(self) -> int:
        """Return about how many rows the file has."""
        return self.table.about_rows()

    def blocks(self) -> Iterator[MoleculeRows]:
        """Yield the rows in their order."""
        columns = list(dict.fromkeys([self.column, *self.keep, *(["molfile"] if self._has_molfiles else [])]))
        for block in self.table.blocks(columns, BLOCK_ROWS):
            try:
                smiles = block[self.column].combine_chunks().cast(pa.string())
            except pa.ArrowInvalid:  # bytes, which nothing calls text
                raise self._no_smiles("bytes that are no text in UTF-8") from None
            # Not by their SMILES, which have another order of atoms.
            read = map(read_molfile, block["molfile"].to_pylist()) if self._has_molfiles else smiles.to_pylist()
            yield MoleculeRows(smiles, list(read), block.select(self.keep) if self.keep else None)

    def _no_smiles(self, held: str) -> MolfoundError:
        return MolfoundError(f"{self.path}: column '{self.column}' holds {held}, not SMILES")


def open_molecules(inputs: Sequence[str], column: str | None = None, keep: Sequence[str] = ()) -> MoleculeSource:
    """Return the molecules of one file, or those whose SMILES are given.

    Args:
        inputs: one file's path, or any number of SMILES.
        column: of the file's SMILES, see `TableMolecules`.
        keep: other columns of the file.

    Raises:
        MolfoundError: a file that cannot be read, more than one, no such column, or a column where there is no file.
    """
    files = [text for text in inputs if _is_file(text)]
    if not files:
        if keep:
            raise MolfoundError(f"SMILES have no column '{keep[0]}' to keep; give a file")
        if column is not None:
            raise MolfoundError(f"SMILES have no column '{column}' to be read from; give a file, or leave out --smiles")
        return GivenMolecules(inputs)
    if len(inputs) > 1:
        raise MolfoundError(f"one file at a time, or SMILES: got {files[0]} and {len(inputs) - 1} more")
    return TableMolecules(Path(files[0]), column, keep)


def one_column(samples: Iterable[object]) -> list[object]:
    """Return the samples of a list, an array or a Series, or those of a table's only column.

    Raises:
        MolfoundError: a table of more columns, or of none.
    """
    if getattr(samples, "ndim", 1) == 2:
        table = np.asarray(samples, dtype=object)
        if table.shape[1] != 1:
            raise MolfoundError(f"molecules are one column, and there are {table.shape[1]}")
        return list(table[:, 0])
    return list(samples)


def molecule_rows(molecules: Sequence[object]) -> MoleculeRows:
    """Return molecules in memory as rows."""
    with silenced_rdkit():
        return MoleculeRows(pa.array(map(_shown, molecules), pa.string()), molecules)


def _shown(molecule: object) -> str | None:
    if not isinstance(molecule, Chem.Mol):
        return _storable(molecule) if isinstance(molecule, str) else None
    bare = Chem.Mol(molecule)
    bare.UpdatePropertyCache(strict=False)
    return str(Chem.MolToSmiles(Chem.RemoveHs(bare, sanitize=False)))


def _storable(text: str) -> str:
    """Return a text that UTF-8 can encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _is_file(text: str) -> bool:
    # Unlike Path.is_file, os.path.isfile takes a SMILES longer than a file's name may be.
    return is_table_file(text) or text.lower().endswith(OTHER_FILES) or os.path.isfile(text)  # noqa: PTH113
