"""What a preparation tells of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from molfound.data.families import Family
from molfound.data.row_lists import FLAT_FILE, REJECTED_FILE, listed


@dataclass(frozen=True)
class PreparationReport:
    """What a preparation did.

    Attributes:
        dataset: the dataset's name.
        folder: its store.
        families: what the store holds of what was asked for: `GraphStore.open(report.folder, report.families)`.
        rows: rows of the table.
        rejected: how many of them for each reason.
        built: shards that were made.
        reused: shards that were there.
        flat: how many molecules are used without coordinates, where coordinates were asked for, for each reason.
    """

    dataset: str
    folder: Path
    families: tuple[Family, ...]
    rows: int
    rejected: Mapping[str, int]
    built: int
    reused: int
    flat: Mapping[str, int]

    def __str__(self) -> str:
        """Return one line: rows, molecules, and the rejected rows by reason."""
        count = sum(self.rejected.values())
        reasons = f" ({listed(self.rejected)}; see {self.folder / REJECTED_FILE})" if count else ""
        line = f"{self.dataset}: {self.rows:,} rows, {self.rows - count:,} molecules, {count:,} rejected{reasons}"
        flat = f"{sum(self.flat.values()):,} without coordinates ({listed(self.flat)}; see {self.folder / FLAT_FILE})"
        return f"{line}, {flat}" if self.flat else line
