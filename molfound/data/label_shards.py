"""Labels as they are stored: checked cells of the table, turned into sparse pairs per molecule in its own order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from molfound.chem.edges import offsets
from molfound.config.schema import Kind
from molfound.data.cells import Problem, read_number_lists, read_numbers
from molfound.data.item_order import ItemOrder
from molfound.data.ragged import list_column, places
from molfound.errors import MolfoundError

Details = dict[int, tuple[str, str]]
"""By position in the block: reason and detail of the first thing wrong with the row."""


@dataclass(frozen=True)
class Pairs:
    """Labels of the rows of a block.

    Attributes:
        counts: int64 ``[rows]``, pairs of each row.
        index: int32 ``[V]``, see `molfound.data.arrays.LabelArrays`.
        values: float32 ``[V]``.
        problems: of the rows that are rejected.
    """

    counts: NDArray[np.int64]
    index: NDArray[np.int32]
    values: NDArray[np.float32]
    problems: Details = field(default_factory=dict)


def graph_labels(columns: Mapping[str, pa.Array], kind: Kind, classes: int | None) -> Pairs:
    """Return the labels of whole molecules: one number per cell.

    Args:
        columns: the label columns of a block of rows, by name.
        kind: what a label is.
        classes: number of classes of a multiclass label.
    """
    problems: Details = {}
    dense = np.empty((len(next(iter(columns.values()))), len(columns)), np.float32)
    for label, (name, column) in enumerate(columns.items()):
        numbers = read_numbers(column)
        dense[:, label] = numbers.values
        found = numbers.problems | _wrong_values(numbers.values, np.arange(len(dense)), kind, classes)
        _add(problems, found, name)
    present = ~np.isnan(dense)
    present[list(problems)] = False
    return Pairs(present.sum(axis=1), np.nonzero(present)[1].astype(np.int32), dense[present], problems)


def item_labels(columns: Mapping[str, pa.Array], kind: Kind, classes: int | None, order: ItemOrder) -> Pairs:
    """Return the labels of atoms, edges or pairs of atoms: a list of numbers per cell.

    A list must have one number for each item of its molecule, in the table's order, which `order` leads to the graph's.

    Args:
        columns: the label columns of a block of rows, by name.
        kind: what a label is.
        classes: number of classes of a multiclass label.
        order: the items of each row's molecule; a row without a molecule has no labels, and no problem either.
    """
    problems: Details = {}
    owners: list[NDArray[np.int64]] = []
    index: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float32]] = []
    for label, (name, column) in enumerate(columns.items()):
        lists = read_number_lists(column)
        owner = np.repeat(np.arange(len(lists.counts)), np.maximum(lists.counts, 0))
        wrong_length = (lists.counts >= 0) & (lists.counts != order.counts) & order.known
        found = lists.problems | _wrong_values(lists.values, owner, kind, classes)
        for position in np.flatnonzero(wrong_length).tolist():
            expected = f"{lists.counts[position]} values for {order.counts[position]} {order.items}"
            found.setdefault(position, Problem("label_length", expected))
        for position in np.flatnonzero((lists.counts > 0) & order.ambiguous).tolist():
            found.setdefault(position, Problem("label_order", "atom-map numbers are not 1 to the number of atoms"))
        _add(problems, {at: problem for at, problem in found.items() if order.known[at]}, name)
        sound = order.known & ~wrong_length & ~order.ambiguous
        used = sound[owner] & ~np.isnan(lists.values)
        place = places(np.maximum(lists.counts, 0))[used]
        owners.append(owner[used])
        index.append(order.graph_item(owner[used], place) * len(columns) + label)
        values.append(lists.values[used])
    row, item, value = np.concatenate(owners), np.concatenate(index), np.concatenate(values)
    keep = ~np.isin(row, list(problems))
    row, item, value = row[keep], item[keep], value[keep]
    if len(item) and item.max() > np.iinfo(np.int32).max:
        raise MolfoundError(f"{len(columns)} labels of {order.items} are too many for the largest molecule here")
    sorting = np.lexsort((item, row))
    counts = np.bincount(row, minlength=len(order.counts))
    return Pairs(counts, item[sorting].astype(np.int32), value[sorting], problems)


def labels_table(rows: NDArray[np.int64], kept: NDArray[np.bool_], pairs: Pairs) -> pa.Table:
    """Return the shard of the rows that are kept; the others have no pairs."""
    ptr = offsets(pairs.counts[kept])
    columns = {"row": rows[kept], "index": list_column(pairs.index, ptr), "value": list_column(pairs.values, ptr)}
    return pa.table(columns)


def _wrong_values(
    values: NDArray[np.float32], owner: NDArray[Any], kind: Kind, classes: int | None
) -> dict[int, Problem]:
    match kind:
        case "regression":
            return {}
        case "binary":
            wrong, reason = ~np.isin(values, (0, 1)), "label_not_binary"
        case "multiclass":
            wrong, reason = ~np.isin(values, np.arange(classes or 0)), "label_not_a_class"
    found: dict[int, Problem] = {}
    for position in np.flatnonzero(wrong & ~np.isnan(values)).tolist():
        found.setdefault(int(owner[position]), Problem(reason, f"{values[position]:g}"))
    return found


def _add(problems: Details, found: Mapping[int, Problem], column: str) -> None:
    for row, problem in found.items():
        text = problem.text if problem.reason in ("label_length", "label_order") else f"'{problem.text}'"
        problems.setdefault(row, (problem.reason, f"column '{column}': {text}"))
