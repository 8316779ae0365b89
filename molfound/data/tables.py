"""Tables of molecules: CSV, TSV, Parquet and SMILES files read in blocks of rows, in bounded memory."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from molfound.errors import MolfoundError, did_you_mean

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LISTS = (".smi", ".smiles", ".txt")
READ_BYTES = 8 << 20  # of a delimited file at a time, of which Arrow reads some thirty ahead; no row may be longer
READ_ROWS = 8192  # of a Parquet file at a time


class Table:
    """The rows of one or many files with the same columns, numbered from 0 through all the files.

    Cells of CSV and TSV files are text; an empty line is no row. Parquet columns keep their types, with text as plain
    strings whatever its encoding in the file, and decimals as float64. A SMILES file has no header and the one column
    ``smiles``, the first word of each line.

    Args:
        paths: the files, by their ending ``.csv``, ``.tsv``, ``.smi``, ``.smiles``, ``.txt`` (plain or ``.gz``) or
            ``.parquet``; a path with wildcards stands for all files that match, sorted by name.

    Raises:
        MolfoundError: a file that is missing, of another kind, unreadable or empty, that has two columns of one name,
            or that lacks a column of the first file.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [_open(path) for path in _matching(paths)]
        first = self._files[0]
        self.columns: tuple[str, ...] = tuple(first.types)
        self.types: dict[str, pa.DataType] = first.types
        for file in self._files:
            missing = [name for name in self.columns if name not in file.types]
            if missing:
                raise MolfoundError(f"{file.path} has no column '{missing[0]}', and {first.path} has")

    def __repr__(self) -> str:
        return f"Table({', '.join(str(file.path) for file in self._files)})"

    def rows(self) -> int:
        """Return the number of rows; delimited files are read through for it."""
        return sum(file.rows() for file in self._files)

    def require(self, columns: Iterable[str]) -> None:
        """Raise `MolfoundError`, with the nearest name, for the first column that the table lacks."""
        for name in columns:
            if name not in self.types:
                raise MolfoundError(f"{self._files[0].path} has no column '{name}'{did_you_mean(name, self.columns)}")

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[pa.Table]:
        """Yield these columns in blocks of `block_rows` rows; the last block holds what is left.

        Raises:
            MolfoundError: an unknown column, a malformed file, or a table without rows.
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
                    yield pa.Table.from_batches(pending).combine_chunks()
                    pending, count = [], 0
        if pending:
            yield pa.Table.from_batches(pending).combine_chunks()
        if not found:
            raise MolfoundError(f"{self._files[0].path} has no rows")

    def column(self, name: str) -> pa.Array:
        """Return one whole column."""
        self.require([name])
        return pa.concat_arrays([batch.column(0) for batch in self._batches([name])] or [pa.array([], pa.string())])

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(name, self.types[name]) for name in columns])
        for file in self._files:
            with _readable(file.path):
                for batch in file.batches(columns):
                    arrays = [
                        _plain(column).cast(field.type) for column, field in zip(batch.columns, schema, strict=True)
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


class _File(Protocol):
    path: Path
    types: dict[str, pa.DataType]

    def rows(self) -> int: ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]: ...


class _DelimitedFile:
    def __init__(self, path: Path, delimiter: str) -> None:
        self.path, self.delimiter = path, delimiter
        with _readable(path), _stream(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
            names = next(filter(None, csv.reader(text, delimiter=delimiter)), [])
        if not names:
            raise MolfoundError(f"{path} is empty")
        self.types = {name: pa.string() for name in _unique(names, path)}

    def rows(self) -> int:
        with _readable(self.path):
            return sum(batch.num_rows for batch in self.batches([next(iter(self.types))]))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        # Every cell is read as text, so that a label that is no number can be told with its row and column.
        with (
            _stream(self.path) as stream,
            pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(block_size=READ_BYTES, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()),
                    include_columns=list(columns),
                    strings_can_be_null=False,
                ),
            ) as reader,
        ):
            yield from reader


class _ListFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.types = {"smiles": pa.string()}

    def rows(self) -> int:
        with _readable(self.path):
            return sum(batch.num_rows for batch in self.batches(["smiles"]))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        # As one column, for no SMILES holds the delimiter, a control character.
        with (
            _stream(self.path) as stream,
            pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(column_names=["line"], block_size=READ_BYTES, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(delimiter="\x1f", quote_char=False),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={"line": pa.string()}, strings_can_be_null=False
                ),
            ) as reader,
        ):
            for batch in reader:
                words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(batch["line"]), max_splits=1)
                yield pa.record_batch([pc.list_element(words, 0)] * len(columns), names=list(columns))


class _ParquetFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        with _readable(path):
            schema = pq.read_schema(path)
        _unique(schema.names, path)
        self.types = {field.name: _plain_type(field.type) for field in schema}

    def rows(self) -> int:
        with _readable(self.path):
            return int(pq.read_metadata(self.path).num_rows)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(READ_ROWS, columns=list(columns), use_threads=False):
                yield batch.select(list(columns))


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


def _open(path: Path) -> _File:
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if path.suffix == ".parquet":
        return _ParquetFile(path)
    if kind in DELIMITERS:
        return _DelimitedFile(path, DELIMITERS[kind])
    if kind in LISTS:
        return _ListFile(path)
    endings = ", ".join((*DELIMITERS, *LISTS))
    raise MolfoundError(f"{path} is not a table: its name should end in {endings} (plain or .gz) or .parquet")


def _stream(path: Path) -> Any:
    return pa.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else None)


def _unique(names: Sequence[str], path: Path) -> Sequence[str]:
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise MolfoundError(f"{path} has two columns named '{twice}'")
    return names


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        if path.stat().st_size == 0:
            raise MolfoundError(f"{path} is empty")
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())[:300]
        raise MolfoundError(f"cannot read {path}: {reason}") from error


def _plain(column: pa.Array) -> pa.Array:
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    return pc.cast(column, _plain_type(column.type))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    return kind
