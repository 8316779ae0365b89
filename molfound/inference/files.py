"""Predictions for the molecules of a file, written to a file."""

import gzip
import io
import os
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet

from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError, did_you_mean
from molfound.inference.predictor import Predictor

TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
LISTS = (".smi", ".smiles", ".txt", ".smi.gz", ".smiles.gz", ".txt.gz")
OTHER_FILES = (".sdf", ".sdf.gz", ".mol", ".mol2", ".pdb", ".xlsx", ".json", ".jsonl", ".feather")  # and no SMILES
UNREADABLE = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, zlib.error)
USUAL_COLUMNS = ("smiles", "ordered_smiles", "canonical_smiles", "drug")


def predict_to_file(
    model: Predictor,
    inputs: Sequence[str],
    output: Path | None,
    *,
    column: str | None = None,
    tasks: Sequence[str] | None = None,
    conformers: int | None = None,
) -> pd.DataFrame:
    """Predict for a file or for SMILES, write the table, and return it.

    Args:
        model: the model.
        inputs: one file (CSV, TSV, Parquet, .smi, each but Parquet also gzipped) or any number of SMILES.
        output: a ``.csv`` or ``.parquet`` file; None: CSV on the standard output.
        column: the SMILES column of a table; None: the one with a usual name.
        tasks: which tasks to predict; None: all.
        conformers: how many to average over, see `Predictor.predict`.

    Raises:
        MolfoundError: an input that cannot be read, or an output of another kind or in a folder that is not there.
    """
    if output is not None:
        _check_output(output)
    table = model.predict(read_smiles(inputs, column), tasks=tasks, conformers=conformers)
    if output is None:
        table.to_csv(sys.stdout, index=False)
    elif output.suffix.lower() == ".parquet":
        content = io.BytesIO()
        table.to_parquet(content, index=False)
        write_atomically(output, content.getbuffer())
    else:
        write_atomically(output, table.to_csv(index=False).encode())
    return table


def read_smiles(inputs: Sequence[str], column: str | None = None) -> list[str]:
    """Return the SMILES of a file, or the inputs themselves if they are not files.

    Raises:
        MolfoundError: a missing or unreadable file, one of another kind, more than one file, or no column with SMILES.
    """
    files = [text for text in inputs if _is_file(text)]
    if not files:
        return list(inputs)
    path = Path(files[0])
    if len(inputs) > 1:
        raise MolfoundError(f"one file at a time, or SMILES: got {path} and {len(inputs) - 1} more")
    name = path.name.lower()
    if not name.endswith(TABLES + LISTS):
        raise MolfoundError(f"{path} is of no kind that is read: its name should end in {', '.join(TABLES + LISTS)}")
    if not path.is_file():
        raise MolfoundError(f"file not found: {path}")
    try:
        return _listed(path) if name.endswith(LISTS) else _column(path, column)
    except UNREADABLE as error:
        raise MolfoundError(f"cannot read {path}: {' '.join(str(error).split())[:300]}") from error


def _is_file(text: str) -> bool:
    # Unlike Path.is_file, os.path.isfile takes a SMILES longer than a file's name may be.
    return text.lower().endswith(TABLES + LISTS + OTHER_FILES) or os.path.isfile(text)  # noqa: PTH113


def _check_output(output: Path) -> None:
    if output.suffix.lower() not in (".csv", ".parquet"):
        raise MolfoundError(f"the output must be a .csv or .parquet file, not {output.name}")
    if not output.parent.is_dir():
        raise MolfoundError(f"cannot write {output}: there is no folder {output.parent}")
    if output.is_dir():
        raise MolfoundError(f"cannot write {output}: it is a folder")
    if not os.access(output.parent, os.W_OK):
        raise MolfoundError(f"cannot write {output}: {output.parent} may not be written")


def _listed(path: Path) -> list[str]:
    """Return the first word of each line; what follows it is the molecule's name."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig") as file:
        return [(line.split(maxsplit=1) or [""])[0] for line in file]


def _column(path: Path, column: str | None) -> list[str]:
    is_parquet = path.suffix.lower() == ".parquet"
    names = parquet.read_schema(path).names if is_parquet else _csv(path, None).column_names
    chosen = _smiles_column(names, column, path)
    table = parquet.read_table(path, columns=[chosen]) if is_parquet else _csv(path, chosen)
    return [str(value or "") for value in table[chosen].to_pylist()]


def _csv(path: Path, column: str | None) -> pa.Table:
    name = path.name.lower()
    parsing = csv.ParseOptions(delimiter="\t" if name.endswith((".tsv", ".tsv.gz")) else ",")
    with pa.input_stream(str(path), compression="gzip" if name.endswith(".gz") else None) as stream:
        if column is None:
            return csv.open_csv(stream, parse_options=parsing).schema.empty_table()
        options = csv.ConvertOptions(include_columns=[column], column_types={column: pa.string()})
        return csv.read_csv(stream, parse_options=parsing, convert_options=options)


def _smiles_column(names: Sequence[str], wanted: str | None, path: Path) -> str:
    if wanted is not None:
        if wanted not in names:
            raise MolfoundError(f"{path} has no column '{wanted}'{did_you_mean(wanted, names)}")
        return wanted
    usual = [name for name in names if name.lower() in USUAL_COLUMNS]
    if not usual:
        raise MolfoundError(
            f"{path} has no column named {' or '.join(USUAL_COLUMNS)}; name the SMILES column: --smiles"
        )
    return usual[0]
