"""What the columns of a table have to hold, before any of its rows is read."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from molfound.data.cells import holds_lists, holds_numbers
from molfound.data.families import LabelTask
from molfound.data.manifest import Manifest
from molfound.data.table_files import MAPPED_SMILES, SMILES
from molfound.data.tables import Table
from molfound.errors import MolfoundError


def check_columns(
    manifest: Manifest, tasks: Mapping[str, LabelTask], labels: Mapping[str, Sequence[str]], table: Table
) -> None:
    """Refuse columns that are not there or cannot hold what they should.

    Args:
        manifest: of the dataset.
        tasks: whose labels are to be stored, by name.
        labels: the columns of each task's labels.
        table: the dataset's.

    Raises:
        MolfoundError: names the column, and what it holds.
    """
    table.require([manifest.smiles, *([manifest.weight] if manifest.weight is not None else [])])
    if not pa.types.is_string(table.types[manifest.smiles]):
        raise MolfoundError(f"column '{manifest.smiles}' holds {table.types[manifest.smiles]}, not SMILES")
    if manifest.weight is not None and not holds_numbers(table.types[manifest.weight]):
        raise MolfoundError(f"column '{manifest.weight}' holds {table.types[manifest.weight]}, and weights are numbers")
    for name, task in tasks.items():
        if task.level != "graph" and table.is_sdf and manifest.smiles == SMILES:
            raise MolfoundError(
                f"task '{name}' is at {task.level} level, whose labels are in the order of the SDF's atoms and bonds; "
                f"column '{SMILES}' has another: write smiles: {MAPPED_SMILES} in the manifest"
            )
        fits, what = (holds_numbers, "numbers") if task.level == "graph" else (holds_lists, "lists of numbers")
        for column in labels[name]:
            if not fits(table.types[column]):
                raise MolfoundError(
                    f"task '{name}' is at {task.level} level, whose labels are {what}; "
                    f"column '{column}' holds {table.types[column]}"
                )
