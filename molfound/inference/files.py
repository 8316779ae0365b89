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

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
        MolfoundError: an output of another kind, or that cannot be written, or a column of the input that would have
            the name of a column of the result.
    """
    keep_heap_small()
    written = Written()
    started = time.monotonic()
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


def check_output(output: Path) -> None:
    """Raise `MolfoundError` unless a file of results can be written there."""
    if output.suffix.lower() not in (".csv", ".parquet"):
        raise MolfoundError(f"the output must be a .csv or .parquet file, not {output.name}")
    if not output.parent.is_dir():
        raise MolfoundError(f"cannot write {output}: there is no folder {output.parent}")
    if output.is_dir():
        raise MolfoundError(f"cannot write {output}: it is a folder")
    if not os.access(output.parent, os.W_OK):
        raise MolfoundError(f"cannot write {output}: {output.parent} may not be written")


Write = Callable[[pa.Table], None]


@contextmanager
def _writer(output: Path | None) -> Iterator[Write]:
    if output is None:
        yield _Csv(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    check_output(output)
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
                cells = [None if cell is None else json.dumps(_shortest(cell)) for cell in column.to_pylist()]
                table = table.set_column(place, name, pa.array(cells, pa.string()))
        # Not by Arrow, which puts every text in quotation marks.
        table.to_pandas(integer_object_nulls=True).to_csv(self._file, index=False, header=not self._begun)
        self._begun = True


def _shortest(value: Any) -> Any:
    """Return a float32, or lists of some, as the shortest number that stands for it; NaN as None, as JSON has none."""
    if isinstance(value, list):
        return [_shortest(each) for each in value]
    return None if value is None or value != value else float(str(np.float32(value)))


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
