"""A user's table of measured molecules, read closely enough to say what can be learned from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from molfound.data.cells import holds_numbers, read_numbers
from molfound.data.smiles_column import smiles_column
from molfound.data.tables import Table, is_wildcard
from molfound.errors import MolfoundError

AssayKind = Literal["regression", "binary"]
SplitKind = Literal["random", "scaffold"]
LEAST_MOLECULES = 10
SMALL = 200  # molecules up to which larger shares are held out


@dataclass(frozen=True)
class Assay:
    """A table of molecules with labels that one task is made of.

    Attributes:
        path: of the table.
        smiles: column of the SMILES.
        labels: the L label columns.
        kind: of all of them.
        molecules: rows with a SMILES and any of the labels.
    """

    path: Path
    smiles: str
    labels: tuple[str, ...]
    kind: AssayKind
    molecules: int

    def __str__(self) -> str:
        """Return one line: how many molecules, which labels, of what kind."""
        titles = ", ".join(self.labels[:5]) + (", …" if len(self.labels) > 5 else "")
        return f"{self.path}: {self.molecules:,} molecules; {titles}: {self.kind}; SMILES in '{self.smiles}'"

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Shares of the rows for training, validation and test.

        Of up to 200 molecules a tenth would be too few to choose the best epoch by, so that a fifth is taken for each.
        """
        return (0.6, 0.2, 0.2) if self.molecules <= SMALL else (0.8, 0.1, 0.1)

    @property
    def training_molecules(self) -> int:
        """About how many molecules the training part has."""
        return round(self.fractions[0] * self.molecules)

    def manifest(self, split: SplitKind) -> dict[str, Any]:
        """Return the manifest of the dataset, named ``assay`` as its task is."""
        shares = {"fractions": list(self.fractions), "seed": 42}
        splits = {kind: {"kind": kind, **shares} for kind in sorted(("random", "scaffold"), key=lambda k: k != split)}
        return {
            "name": "assay",
            "title": f"Molecules of {self.path.name}",
            "licence": "unknown",
            "citation": "unknown",
            "source": self.path.name,
            "files": [{"name": self.path.name}],
            "smiles": self.smiles,
            "tasks": {"assay": {"level": "graph", "kind": self.kind, "labels": list(self.labels)}},
            "splits": splits,
        }


def read_assay(path: Path, smiles: str | None, labels: Sequence[str], kind: AssayKind | None = None) -> Assay:
    """Return what a table holds that can be learned.

    Args:
        path: of the table, any that a dataset may have.
        smiles: column of the SMILES; None: a usual one, see `smiles_column`.
        labels: label columns.
        kind: of the labels; None: binary where all values are 0 or 1, else regression.

    Raises:
        MolfoundError: no such file or column (with the nearest name), no label named, one that holds something else
            than numbers or one value alone, or too few molecules.
    """
    table = Table([path])
    column = smiles_column(table.columns, smiles, path)
    if not labels:
        others = [name for name in table.columns if name != column]
        raise MolfoundError(f"name the column to learn with --label: {path} has {', '.join(others) or 'no other'}")
    names = tuple(dict.fromkeys(labels))
    table.require(names)
    wild = [name for name in names if is_wildcard(name)]
    if wild:
        raise MolfoundError(f"label '{wild[0]}' would stand for every column that matches it: rename the column")
    if column in names:
        raise MolfoundError(f"column '{column}' has the SMILES and cannot be a label")
    values = {name: _numbers(table, name, path) for name in names}
    found = kind or _kind(values)
    for name, column_values in values.items():
        _check_values(name, column_values, found, path)
    labelled = ~np.isnan(np.stack(list(values.values()))).all(0)
    molecules = int(np.count_nonzero(labelled & _present(table, column)))
    if molecules < LEAST_MOLECULES:
        raise MolfoundError(
            f"{path} has {molecules} molecules with a label: at least {LEAST_MOLECULES} are needed to train, validate "
            "and test; measure more, or predict with the run as it is (molfound predict)"
        )
    return Assay(path, column, names, found, molecules)


def _numbers(table: Table, name: str, path: Path) -> NDArray[np.float32]:
    if not holds_numbers(table.types[name]):
        raise MolfoundError(f"{path}: label '{name}' holds {table.types[name]}, not one number per molecule")
    numbers = read_numbers(table.column(name))
    if numbers.problems:
        row, problem = min(numbers.problems.items())
        count = len(numbers.problems)
        raise MolfoundError(
            f"{path}: label '{name}' has {count} {'cell that is' if count == 1 else 'cells that are'} no number, the "
            f"first '{problem.text}' in data row {row + 1}; write numbers, 0 and 1 for two classes, "
            "and leave it empty where nothing was measured"
        )
    return numbers.values


def _present(table: Table, column: str) -> NDArray[np.bool_]:
    return np.array([bool(text and text.strip()) for text in table.column(column).to_pylist()])


def _kind(values: dict[str, NDArray[np.float32]]) -> AssayKind:
    return "binary" if all(_is_binary(column) for column in values.values()) else "regression"


def _is_binary(values: NDArray[np.float32]) -> bool:
    return bool(np.isin(values[~np.isnan(values)], (0, 1)).all())


def _check_values(name: str, values: NDArray[np.float32], kind: AssayKind, path: Path) -> None:
    different = np.unique(values[~np.isnan(values)])
    if len(different) == 0:
        raise MolfoundError(f"{path}: label '{name}' has no value")
    if len(different) == 1:
        what = "one class alone" if kind == "binary" else "the same value everywhere"
        raise MolfoundError(f"{path}: label '{name}' has {what} ({different[0]:g}): there is nothing to learn from it")
    if kind == "binary" and not _is_binary(values):
        other = different[~np.isin(different, (0, 1))][0]
        raise MolfoundError(
            f"{path}: label '{name}' has the value {other:g}, and a binary label is 0 or 1: choose --kind regression"
        )
