"""What a model yields for the molecules of a file, written to a file in bounded memory."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from molfound.chem.edges import offsets
from molfound.data.memory import keep_heap_small, release_free_memory
from molfound.data.progress import MoleculeProgress
from molfound.data.shards import partial_file
from molfound.errors import MolfoundError
from molfound.inference.molecules import MoleculeSource
from molfound.inference.predictor import RowsToTable

IN_A_ROW = 10  # rejected rows at the very beginning after which the user is told


@dataclass
class Written:
    """What was written.

    Attributes:
        rows: how many rows.
        rejected: how many of them are no molecule, by reason.
        seconds: how long it took.
    """

    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __str__(self) -> str:
        rate = f"{self.rows / max(self.seconds, 1e-9):,.0f} molecules/s"
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.rejected.most_common())
        rejected = f"; {self.rejected.total():,} rejected: {reasons}" if reasons else ""
        return f"{self.rows:,} rows in {self.seconds:,.1f} s ({rate}){rejected}"


def write_results(source: MoleculeSource, table: RowsToTable, output: Path | None, *, shown: bool = True) -> Written:
    """Write what a model yields for molecules: one row for each, in their order.

    The file is complete or, after any error, not there.

    Args:
        source: the molecules.
        table: makes the table of a block of them: `Predictor.predictions` or `Predictor.embeddings`.
        output: a ``.csv`` or ``.parquet`` file; None: CSV on the standard output.
        shown: whether to show how far it has come, on standard error.

    Raises:
        MolfoundError: an output of another kind, that cannot be written, or that is the input, or a column of the input
            that would have the name of a column of the result.
    """
    keep_heap_small()
    written = Written()
    started = time.monotonic()
    if output is not None:
        check_output(output, source.path)
    with _writer(output) as write, MoleculeProgress("molecules", source.about_rows(), shown) as progress:
        for rows in source.blocks():
            made = table(rows)
            write(_with_kept(made, rows.kept))
            reasons = made["rejected"].drop_null().to_pylist()
            if written.rows == 0 and len(rows) >= IN_A_ROW and made["rejected"][:IN_A_ROW].null_count == 0:
                progress.say(_no_molecules(made))
            written.rows += len(rows)
            written.rejected.update(reason.partition(":")[0] for reason in reasons)
            progress.advance(len(rows), computed=True)
            release_free_memory()
    written.seconds = time.monotonic() - started
    return written


def check_output(output: Path, read: Path | None = None) -> None:
    """Refuse to write a file of results where there can be none.

    Args:
        output: the file.
        read: the file that the molecules are read from, which must not be lost.

    Raises:
        MolfoundError: says why there can be none.
    """
    if output.suffix.lower() not in (".csv", ".parquet"):
        raise MolfoundError(f"the output must be a .csv or .parquet file, not {output.name}")
    if not output.parent.is_dir():
        raise MolfoundError(f"cannot write {output}: there is no folder {output.parent}")
    if output.is_dir():
        raise MolfoundError(f"cannot write {output}: it is a folder")
    if read is not None and output.exists() and output.samefile(read):
        raise MolfoundError(f"cannot write {output}: the molecules are read from it; name another file")
    if not os.access(output.parent, os.W_OK):
        raise MolfoundError(f"cannot write {output}: {output.parent} may not be written")


Write = Callable[[pa.Table], None]


@contextmanager
def _writer(output: Path | None) -> Iterator[Write]:
    if output is None:
        yield _Csv(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with partial_file(output) as unfinished, unfinished.open("wb") as file:
        if output.suffix.lower() == ".csv":
            yield _Csv(file)
        else:
            with _parquet_writer(file) as write:
                yield write


@contextmanager
def _parquet_writer(file: Any) -> Iterator[Write]:
    """Yield what writes tables, each as a row group; the first one's columns are the file's."""
    writers: list[pq.ParquetWriter] = []

    def write(table: pa.Table) -> None:
        if not writers:
            writers.append(pq.ParquetWriter(file, table.schema, compression="zstd"))
        writers[0].write_table(table)

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()


class _Csv:
    """Writes tables as CSV: lists as JSON, nothing where a value is missing, the names of the columns once."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._begun = False

    def __call__(self, table: pa.Table) -> None:
        for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
            if pa.types.is_list(column.type):
                table = table.set_column(place, name, _json(column.combine_chunks()))
        # Not by Arrow, which puts every text in quotation marks.
        table.to_pandas(integer_object_nulls=True).to_csv(self._file, index=False, header=not self._begun)
        self._begun = True


def _json(values: pa.Array) -> pa.Array:
    """Return values, or lists of some, as JSON text, each number the shortest that stands for it in its own type.

    Null where a value is missing or NaN, and in a list the text ``null``. All values at once: those of the atoms of a
    block are millions.
    """
    if pa.types.is_list(values.type):
        lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy()
        inner = pc.fill_null(_json(values.flatten()), "null")
        lists = pa.LargeListArray.from_arrays(pa.array(offsets(lengths)), inner)
        comma, begin, end, nothing = (pa.scalar(text, inner.type) for text in (", ", "[", "]", ""))
        texts = pc.binary_join_element_wise(begin, pc.binary_join(lists, comma), end, nothing)
        return pc.if_else(values.is_valid(), texts, None)
    if pa.types.is_floating(values.type):
        exact = pc.cast(values, pa.float32()) if pa.types.is_float16(values.type) else values
        texts = pc.cast(exact, pa.large_string())
        for symbol, text in (("nan", None), ("inf", "Infinity"), ("-inf", "-Infinity")):
            texts = pc.if_else(pc.equal(texts, symbol), text, texts)
        return texts
    if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        return pc.cast(values, pa.large_string())
    # What JSON has no form of, a date say, is its text.
    told = [None if value is None else json.dumps(value, default=str) for value in values.to_pylist()]
    return pa.array(told, pa.large_string())


def _with_kept(made: pa.Table, kept: pa.Table | None) -> pa.Table:
    if kept is None:
        return made
    for name in kept.column_names:
        if name in made.column_names:
            raise MolfoundError(f"column '{name}' cannot be kept: the result has a column of that name")
        made = made.append_column(name, kept[name])
    return made


def _no_molecules(table: pa.Table) -> str:
    shown, reason = table["smiles"][0].as_py(), table["rejected"][0].as_py()
    return (
        f"the first {IN_A_ROW} rows are no molecules (the first is '{shown}': {reason}); "
        "is it the right column, or file? --smiles names the column"
    )
