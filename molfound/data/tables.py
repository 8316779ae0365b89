"""Tables of molecules: one or many files read in blocks of rows, in bounded memory."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from molfound.data.column_types import common_type, plain
from molfound.data.table_files import is_sdf, open_table_file, readable
from molfound.errors import MolfoundError, did_you_mean

MOST_TEXT = (1 << 31) - 1  # bytes of an array, which Arrow counts in 31 bits


class Table:
    """The rows of one or many files with the same columns, numbered from 0 through all the files.

    Cells of CSV and TSV files are text; an empty line is no row. Parquet columns keep their types, with text as plain
    strings whatever its encoding in the file, and decimals as float64. A SMILES file has no header and the columns
    ``smiles``, the first word of each line, and ``name``, what follows it. An SDF has the columns ``smiles``
    (canonical), ``mapped_smiles`` (with atom-map numbers in the order of the Molfile's atoms), ``molfile``, ``_Name``
    (its first line) and one for each property of the records at its beginning, ``property_smiles`` for one that has
    such a name itself. A column whose type is not the same in all files
    is read as one that holds all: wider numbers, or text.

    Args:
        paths: the files, by their ending ``.csv``, ``.tsv``, ``.smi``, ``.smiles``, ``.txt``, ``.sdf`` (plain or
            ``.gz``) or ``.parquet``; a path with wildcards stands for all files that match, sorted by name.

    Raises:
        MolfoundError: a file that is missing, of another kind, unreadable or empty, that has two columns of one name,
            or that lacks a column of the first file or has it of a type that does not go with the others'.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [open_table_file(path) for path in _matching(paths)]
        self.is_sdf = any(is_sdf(file.path) for file in self._files)
        first = self._files[0]
        self.columns: tuple[str, ...] = tuple(first.types)
        self.types: dict[str, pa.DataType] = dict(first.types)
        for file in self._files[1:]:
            for name, kind in self.types.items():
                if name not in file.types:
                    raise MolfoundError(f"{file.path} has no column '{name}', and {first.path} has")
                common = common_type(kind, file.types[name])
                if common is None:
                    raise MolfoundError(
                        f"column '{name}' holds {file.types[name]} in {file.path}, and {kind} in the files before it"
                    )
                self.types[name] = common

    def __repr__(self) -> str:
        return f"Table({', '.join(str(file.path) for file in self._files)})"

    def about_rows(self) -> int:
        """Return about how many rows there are, without reading more than the beginning of a file.

        Exact where all files are Parquet files, or small.
        """
        return sum(file.about_rows() for file in self._files)

    def rows_of_files(self) -> list[int]:
        """Return how many rows each file has, which reads one column of all.

        Raises:
            MolfoundError: a malformed file.
        """
        counts = []
        for file in self._files:
            with readable(file.path):
                counts.append(sum(batch.num_rows for batch in file.batches(self.columns[:1])))
        return counts

    def require(self, columns: Iterable[str]) -> None:
        """Raise `MolfoundError`, with the nearest name, for the first column that the table lacks."""
        for name in columns:
            if name not in self.types:
                raise MolfoundError(f"{self._files[0].path} has no column '{name}'{did_you_mean(name, self.columns)}")

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[pa.Table]:
        """Yield these columns in blocks of `block_rows` rows, of several chunks; the last block holds what is left.

        Raises:
            MolfoundError: an unknown column, a malformed file, a table without rows, or a block with 2 GiB of text.
        """
        self.require(columns)
        pending: list[pa.RecordBatch] = []
        count = found = 0
        for batch in self._batches(columns):
            found += batch.num_rows
            while batch.num_rows:
                taken = batch.slice(0, block_rows - count)
                batch = batch.slice(taken.num_rows)
                pending.append(taken)
                count += taken.num_rows
                if count == block_rows:
                    block, pending, count = self._block(pending), [], 0
                    del taken
                    yield block
                    del block  # who has asked for the next one is done with it
        if pending:
            yield self._block(pending)
        if not found:
            raise MolfoundError(f"{self._files[0].path} has no rows")

    def column(self, name: str) -> pa.Array:
        """Return one whole column."""
        self.require([name])
        return pa.concat_arrays([batch.column(0) for batch in self._batches([name])] or [pa.array([], pa.string())])

    def _block(self, batches: Sequence[pa.RecordBatch]) -> pa.Table:
        table = pa.Table.from_batches(batches)
        for name in table.column_names:
            if pa.types.is_string(self.types[name]) and table[name].nbytes > MOST_TEXT:
                raise MolfoundError(
                    f"{self._files[0].path}: column '{name}' has over 2 GiB of text in {table.num_rows:,} rows; choose "
                    "a smaller data.block_rows"
                )
        return table

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(name, self.types[name]) for name in columns])
        for file in self._files:
            with readable(file.path):
                for batch in file.batches(columns):
                    arrays = [
                        plain(column).cast(field.type) for column, field in zip(batch.columns, schema, strict=True)
                    ]
                    yield pa.record_batch(arrays, schema=schema)


def expand_columns(patterns: Iterable[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that the patterns name, each once: a column's own name, or ``*`` and ``?`` as wildcards.

    Raises:
        MolfoundError: a name or wildcard that matches no column, with the nearest name.

    >>> expand_columns(["mu", "graph_*"], ["smiles", "graph_a", "mu", "graph_b"])
    ('mu', 'graph_a', 'graph_b')
    """
    expanded: dict[str, None] = {}
    for pattern in patterns:
        if pattern in columns:
            expanded[pattern] = None
            continue
        wildcard = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
        matches = [name for name in columns if wildcard.fullmatch(name)]
        if not matches:
            kind = "wildcard" if is_wildcard(pattern) else "column"
            raise MolfoundError(f"label {kind} '{pattern}' matches no column{did_you_mean(pattern, columns)}")
        expanded.update(dict.fromkeys(matches))
    return tuple(expanded)


def is_wildcard(label: str) -> bool:
    """Whether a label stands for whatever columns match it."""
    return "*" in label or "?" in label


def _matching(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.exists():
            found.append(path)
        elif matches := sorted(path.parent.glob(path.name)):
            found.extend(matches)
        else:
            raise MolfoundError(f"file not found: {path}")
    if not found:
        raise MolfoundError("a table needs at least one file")
    return found
