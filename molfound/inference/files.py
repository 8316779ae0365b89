"""Predictions for the molecules of a file, written to a file."""

import gzip
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet

from molfound.errors import MolfoundError, did_you_mean
from molfound.inference.predictor import Predictor

TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
LISTS = (".smi", ".smiles", ".txt", ".smi.gz", ".smiles.gz", ".txt.gz")
USUAL_COLUMNS = ("smiles", "ordered_smiles", "canonical_smiles", "drug")


def predict_to_file(
    model: Predictor,
    inputs: Sequence[str],
    output: Path | None,
    *,
    column: str | None = None,
    tasks: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Predict for a file or for SMILES, write the table, and return it.

    Args:
        model: the model.
        inputs: one file (CSV, TSV, Parquet, .smi, each but Parquet also gzipped) or any number of SMILES.
        output: a ``.csv`` or ``.parquet`` file; None: CSV on the standard output.
        column: the SMILES column of a table; None: the one with a usual name.
        tasks: which tasks to predict; None: all.

    Raises:
        MolfoundError: an input that cannot be read, or an output of another kind.
    """
    if output is not None and output.suffix not in (".csv", ".parquet"):
        raise MolfoundError(f"the output must be a .csv or .parquet file, not {output.name}")
    table = model.predict(read_smiles(inputs, column), tasks=tasks)
    if output is None:
        table.to_csv(sys.stdout, index=False)
    elif output.suffix == ".parquet":
        table.to_parquet(output, index=False)
    else:
        table.to_csv(output, index=False)
    return table


def read_smiles(inputs: Sequence[str], column: str | None = None) -> list[str]:
    """Return the SMILES of a file, or the inputs themselves if they are not files.

    Raises:
        MolfoundError: a missing or unreadable file, more than one file, or no column with SMILES.
    """
    path = Path(inputs[0])
    if not path.name.endswith(TABLES + LISTS):
        return list(inputs)
    if len(inputs) > 1:
        raise MolfoundError(f"one file at a time, or SMILES: got {path} and {len(inputs) - 1} more")
    if not path.is_file():
        raise MolfoundError(f"file not found: {path}")
    return _listed(path) if path.name.endswith(LISTS) else _column(path, column)


def _listed(path: Path) -> list[str]:
    """Return the first word of each line; what follows it is the molecule's name."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return [(line.split(maxsplit=1) or [""])[0] for line in file]


def _column(path: Path, column: str | None) -> list[str]:
    try:
        names = parquet.read_schema(path).names if path.suffix == ".parquet" else _csv(path, None).column_names
        chosen = _smiles_column(names, column, path)
        table = parquet.read_table(path, columns=[chosen]) if path.suffix == ".parquet" else _csv(path, chosen)
    except pa.ArrowInvalid as error:
        raise MolfoundError(f"{path} cannot be read as a table: {error}") from error
    return [str(value or "") for value in table[chosen].to_pylist()]


def _csv(path: Path, column: str | None) -> pa.Table:
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    if column is None:
        reader = csv.open_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter))
        return reader.schema.empty_table()
    options = csv.ConvertOptions(include_columns=[column], column_types={column: pa.string()})
    return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter), convert_options=options)


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
