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

from molfound.data.column_types import common_type, plain, plain_type
from molfound.errors import MolfoundError, did_you_mean

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LISTS = (".smi", ".smiles", ".txt")
READ_BYTES = 8 << 20  # of a delimited file at a time, of which Arrow reads some thirty ahead; no row may be longer
READ_ROWS = 8192  # of a Parquet file at a time
BUFFER = 1 << 16  # of each column of a Parquet file, so that a row group of any size is read piece by piece


class Table:
    """The rows of one or many files with the same columns, numbered from 0 through all the files.

    Cells of CSV and TSV files are text; an empty line is no row. Parquet columns keep their types, with text as plain
    strings whatever its encoding in the file, and decimals as float64. A SMILES file has no header and the one column
    ``smiles``, the first word of each line. A column whose type is not the same in all files is read as one that holds
    all: wider numbers, or text.

    Args:
        paths: the files, by their ending ``.csv``, ``.tsv``, ``.smi``, ``.smiles``, ``.txt`` (plain or ``.gz``) or
            ``.parquet``; a path with wildcards stands for all files that match, sorted by name.

    Raises:
        MolfoundError: a file that is missing, of another kind, unreadable or empty, that has two columns of one name,
            or that lacks a column of the first file or has it of a type that does not go with the others'.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [_open(path) for path in _matching(paths)]
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
            with _readable(file.path):
                counts.append(sum(batch.num_rows for batch in file.batches(self.columns[:1])))
        return counts

    def require(self, columns: Iterable[str]) -> None:
        """Raise `MolfoundError`, with the nearest name, for the first column that the table lacks."""
        for name in columns:
            if name not in self.types:
                raise MolfoundError(f"{self._files[0].path} has no column '{name}'{did_you_mean(name, self.columns)}")

    def blocks(self, columns: Sequence[str], block_rows: int) -> Iterator[pa.Table]:
        """Yield these columns in blocks of `block_rows` rows; the last block holds what is left.

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
                    yield self._block(pending)
                    pending, count = [], 0
        if pending:
            yield self._block(pending)
        if not found:
            raise MolfoundError(f"{self._files[0].path} has no rows")

    def column(self, name: str) -> pa.Array:
        """Return one whole column."""
        self.require([name])
        return pa.concat_arrays([batch.column(0) for batch in self._batches([name])] or [pa.array([], pa.string())])

    def _block(self, batches: Sequence[pa.RecordBatch]) -> pa.Table:
        table = pa.Table.from_batches(batches).combine_chunks()
        for name in table.column_names:
            if table[name].num_chunks > 1:  # Arrow counts the characters of an array in 31 bits
                raise MolfoundError(
                    f"{self._files[0].path}: column '{name}' has over 2 GiB of text in {table.num_rows:,} rows; choose "
                    "a smaller data.block_rows"
                )
        return table

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(name, self.types[name]) for name in columns])
        for file in self._files:
            with _readable(file.path):
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


class _File(Protocol):
    path: Path
    types: dict[str, pa.DataType]

    def about_rows(self) -> int: ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]: ...


class _DelimitedFile:
    def __init__(self, path: Path, delimiter: str) -> None:
        self.path, self.delimiter = path, delimiter
        with _readable(path):
            # Not from the file itself: its first line may be as long as all that a small file unpacks to.
            beginning, share = _beginning(path)
            text = io.TextIOWrapper(io.BytesIO(beginning), "utf-8-sig", newline="")
            names = next(filter(None, csv.reader(text, delimiter=delimiter)), [])
        if not names:
            raise MolfoundError(f"{path} is empty")
        self.types = {name: pa.string() for name in _unique(names, path)}
        self._rows = max(_about_lines(beginning, share) - 1, 0)

    def about_rows(self) -> int:
        return self._rows

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

    def about_rows(self) -> int:
        with _readable(self.path):
            return _about_lines(*_beginning(self.path))

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
        self.types = {field.name: plain_type(field.type) for field in schema}

    def about_rows(self) -> int:
        with _readable(self.path):
            return int(pq.read_metadata(self.path).num_rows)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False) as file:
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


def _beginning(path: Path) -> tuple[bytes, float]:
    """Return the first `READ_BYTES` bytes of a file's text, and about which share of the file they are."""
    with pa.OSFile(str(path)) as file:
        stream = pa.CompressedInputStream(file, "gzip") if path.suffix == ".gz" else file
        content = stream.read(READ_BYTES)
        return content, 1.0 if len(content) < READ_BYTES else file.tell() / file.size()


def _about_lines(beginning: bytes, share: float) -> int:
    lines = beginning.count(b"\n") + (not beginning.endswith(b"\n"))
    return round(lines / share)


def _unique(names: Sequence[str], path: Path) -> Sequence[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise MolfoundError(f"{path} has two columns named '{name}'")
        seen.add(name)
    return names


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        if path.stat().st_size == 0:
            raise MolfoundError(f"{path} is empty")
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())[:300]
        if "straddling object" in reason:  # Arrow's word for it
            reason = f"a row is longer than {READ_BYTES:,} bytes, or a quotation mark is not closed"
        raise MolfoundError(f"cannot read {path}: {reason}") from error
