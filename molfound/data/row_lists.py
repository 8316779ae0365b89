"""The lists that a preparation writes into the store's folder: rows that are not used, rows without coordinates."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from molfound.data.build import RejectedRow
from molfound.data.shards import parquet_bytes, write_atomically

REJECTED_FILE = "rejected.parquet"
FLAT_FILE = "without_coordinates.parquet"  # as the rejected rows, but these are used


def write_lists(
    folder: Path, dataset: str, rejected: Sequence[RejectedRow], flat: Sequence[RejectedRow] | None
) -> None:
    """Write both lists: dataset, row, input, reason and detail of each row; without coordinates no list of those."""
    write_atomically(folder / REJECTED_FILE, _list_bytes(dataset, rejected))
    if flat is None:
        (folder / FLAT_FILE).unlink(missing_ok=True)
    else:
        write_atomically(folder / FLAT_FILE, _list_bytes(dataset, flat))


def reason_counts(rows: Sequence[RejectedRow]) -> dict[str, int]:
    """Return how many rows there are for each reason, the most frequent first."""
    return dict(Counter(row.reason for row in rows).most_common())


def listed(reasons: Mapping[str, int]) -> str:
    """Return reasons and counts as one line.

    >>> listed({"invalid_smiles": 1200, "restricted": 3})
    'invalid_smiles 1,200, restricted 3'
    """
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())


def _list_bytes(dataset: str, rows: Sequence[RejectedRow]) -> memoryview:
    columns = {
        "dataset": pa.array([dataset] * len(rows), pa.string()),
        "row": pa.array([row.row for row in rows], pa.int64()),
        **{name: pa.array([getattr(row, name) for row in rows], pa.string()) for name in ("input", "reason", "detail")},
    }
    return parquet_bytes(pa.table(columns))
