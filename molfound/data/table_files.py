"""The kinds of files that hold tables of molecules: CSV, TSV, Parquet, SMILES files and SDF."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from molfound.chem.sdf import END, SdfRecord, mapped_smiles, molfile_smiles, sdf_records
from molfound.data.column_types import plain_type
from molfound.errors import MolfoundError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LISTS = (".smi", ".smiles", ".txt")
SDF = ".sdf"
SMILES, MAPPED_SMILES, MOLFILE, TITLE = "smiles", "mapped_smiles", "molfile", "_Name"  # of an SDF's structures
NAME_BEHIND = r"^\S+\s+(?P<name>.+)$"  # of a line of a SMILES file
READ_BYTES = 8 << 20  # of a delimited file at a time, of which Arrow reads some thirty ahead; no row may be longer
READ_ROWS = 1024  # of a Parquet file at a time, which may have thousands of columns
READ_RECORDS = 1024  # of an SDF at a time
BUFFER = 1 << 16  # of each column of a Parquet file, so that a row group of any size is read piece by piece


class TableFile(Protocol):
    """A file with columns.

    Attributes:
        path: where it is.
        types: of its columns, by name.
    """

    path: Path
    types: dict[str, pa.DataType]

    def about_rows(self) -> int:
        """Return about how many rows there are, from the beginning of the file."""
        ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield these columns, some rows at a time."""
        ...


def is_table_file(name: str) -> bool:
    """Whether a file of this name would be read as a table."""
    return _kind(Path(name)) is not None


def is_sdf(path: Path) -> bool:
    """Whether a file of this name would be read as an SDF."""
    return _kind(path) == SDF


def open_table_file(path: Path) -> TableFile:
    """Return a file of the kind that its name's ending says, in either case.

    Raises:
        MolfoundError: another ending, an empty or unreadable file, or two columns of one name.
    """
    match _kind(path):
        case ".parquet":
            return _ParquetFile(path)
        case ".sdf":
            return _SdfFile(path)
        case ".csv" | ".tsv" as kind:
            return _DelimitedFile(path, DELIMITERS[kind])
        case None:
            endings = ", ".join((*DELIMITERS, *LISTS, SDF))
            raise MolfoundError(f"{path} is not a table: its name should end in {endings} (plain or .gz) or .parquet")
        case _:
            return _ListFile(path)


def _kind(path: Path) -> str | None:
    """Return the ending that says what a file is, in lower case and without that of its compression."""
    name = path.name.lower()
    if name.endswith(".parquet"):
        return ".parquet"
    kinds = (*DELIMITERS, *LISTS, SDF)
    return next((kind for kind in kinds if name.removesuffix(".gz").endswith(kind)), None)


class _DelimitedFile:
    def __init__(self, path: Path, delimiter: str) -> None:
        self.path, self.delimiter = path, delimiter
        with readable(path):
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
        self.types = {"smiles": pa.string(), "name": pa.string()}

    def about_rows(self) -> int:
        with readable(self.path):
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
                line = pc.utf8_trim_whitespace(batch["line"])
                cells = {
                    "smiles": lambda line=line: pc.list_element(pc.utf8_split_whitespace(line, max_splits=1), 0),
                    "name": lambda line=line: pc.struct_field(pc.extract_regex(line, NAME_BEHIND), 0),
                }
                yield pa.record_batch([cells[name]() for name in columns], names=list(columns))


class _ParquetFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        with readable(path):
            schema = pq.read_schema(path)
        _unique(schema.names, path)
        self.types = {field.name: plain_type(field.type) for field in schema}

    def about_rows(self) -> int:
        with readable(self.path):
            return int(pq.read_metadata(self.path).num_rows)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False) as file:
            for batch in file.iter_batches(READ_ROWS, columns=list(columns), use_threads=False):
                yield batch.select(list(columns))


class _SdfFile:
    """An SDF: SMILES of its molecules, their Molfiles, and the properties of the file's beginning.

    A property of the name of one of the structure's columns is the column ``property_`` and its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with readable(path):
            beginning, share = _beginning(path)
            whole = beginning if share == 1 else beginning[: beginning.rfind(END.encode())]
            records = list(sdf_records(io.StringIO(whole.decode("utf-8-sig"))))
        if not records:
            raise MolfoundError(f"{path} has no record in its first {READ_BYTES:,} bytes")
        properties = dict.fromkeys(name for record in records for name in record.properties)
        self._cells: dict[str, Callable[[SdfRecord], str | None]] = {**STRUCTURE}
        for name in properties:
            column = f"property_{name}" if name in STRUCTURE else name
            _unique([*self._cells, column], path)
            self._cells[column] = partial(_property, name)
        self.types = {name: pa.string() for name in self._cells}
        self._rows = round(len(records) / share)

    def about_rows(self) -> int:
        return self._rows

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(name, pa.string()) for name in columns])
        with _stream(self.path) as stream:
            records = sdf_records(io.TextIOWrapper(stream, "utf-8-sig"))
            while some := list(islice(records, READ_RECORDS)):
                arrays = [pa.array(map(self._cells[name], some), pa.string()) for name in columns]
                yield pa.record_batch(arrays, schema=schema)


def _property(name: str, record: SdfRecord) -> str | None:
    return record.properties.get(name)


STRUCTURE: dict[str, Callable[[SdfRecord], str | None]] = {
    SMILES: lambda record: molfile_smiles(record.molfile),
    MAPPED_SMILES: lambda record: mapped_smiles(record.molfile),
    MOLFILE: lambda record: record.molfile,
    TITLE: lambda record: record.molfile.partition("\n")[0].strip() or None,
}


def _is_zipped(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _stream(path: Path) -> Any:
    return pa.input_stream(str(path), compression="gzip" if _is_zipped(path) else None)


def _beginning(path: Path) -> tuple[bytes, float]:
    """Return the first `READ_BYTES` bytes of a file's text, and about which share of the file they are."""
    with pa.OSFile(str(path)) as file:
        stream = pa.CompressedInputStream(file, "gzip") if _is_zipped(path) else file
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
def readable(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading a file into a `MolfoundError` that names it."""
    try:
        if path.stat().st_size == 0:
            raise MolfoundError(f"{path} is empty")
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())[:300]
        if "straddling object" in reason:  # Arrow's word for it
            reason = f"a row is longer than {READ_BYTES:,} bytes, or a quotation mark is not closed"
        raise MolfoundError(f"cannot read {path}: {reason}") from error
