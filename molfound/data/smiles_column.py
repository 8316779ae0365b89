"""Which column of a user's table has the SMILES."""

from collections.abc import Sequence
from pathlib import Path

from molfound.errors import MolfoundError, did_you_mean

USUAL_COLUMNS = ("smiles", "ordered_smiles", "canonical_smiles", "drug")


def smiles_column(names: Sequence[str], wanted: str | None, path: Path) -> str:
    """Return the column of the SMILES: the one wanted, or the first whose name, in either case, is a usual one.

    Args:
        names: of the table's columns.
        wanted: its name; None: one of `USUAL_COLUMNS`.
        path: of the table, for the message.

    Raises:
        MolfoundError: there is no such column.

    >>> smiles_column(["id", "SMILES", "y"], None, Path("assay.csv"))
    'SMILES'
    """
    if wanted is not None:
        if wanted not in names:
            raise MolfoundError(f"{path} has no column '{wanted}'{did_you_mean(wanted, names)}")
        return wanted
    usual = [name for name in names if name.lower() in USUAL_COLUMNS]
    if not usual:
        there = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        separated = len(names) == 1 and ";" in names[0]
        hint = "it is read as separated by commas" if separated else "name the SMILES column: --smiles"
        raise MolfoundError(f"{path} has no column named {' or '.join(USUAL_COLUMNS)}, but '{there}'; {hint}")
    return usual[0]
