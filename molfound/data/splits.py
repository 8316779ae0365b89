"""Splits: which rows of a table are for training, validation and testing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from molfound.config.schema import (
    ColumnSplit,
    FileSplit,
    FoldSplit,
    RandomSplit,
    ScaffoldSplit,
    SplitSpec,
    TablesSplit,
)
from molfound.data.manifest import locate
from molfound.data.split_files import read_split_file
from molfound.data.tables import Table
from molfound.errors import MolfoundError

Split = dict[str, NDArray[np.int64]]
"""Part name to ascending row numbers of the table, no row in two parts."""

PARTS = ("train", "val", "test")
OTHER_NAMES = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "testing": "test"}
MOST_PARTS = 100


def make_split(
    spec: SplitSpec,
    rows: int,
    *,
    folders: Sequence[Path] = (),
    table: Table | None = None,
    scaffolds: tuple[NDArray[np.int64], Sequence[str]] | None = None,
) -> Split:
    """Return the rows of each part.

    Args:
        spec: the split's description.
        rows: number of rows of the table, rejected ones included, so that a split does not depend on what is rejected.
        folders: where a split file is sought, in this order.
        table: the table that a column split reads its column from, and a tables split the number of rows of its files.
        scaffolds: row numbers and the Murcko scaffold of each, for a scaffold split; other rows are in no part.

    Raises:
        MolfoundError: a missing or malformed file or one of another checksum, a missing column, row numbers out of
            range or in two parts, or fewer rows or scaffolds than folds.

    Example:
        >>> split = make_split(RandomSplit(kind="random", fractions=[0.5, 0.25, 0.25], seed=1), rows=8)
        >>> {part: len(rows) for part, rows in split.items()}
        {'train': 4, 'val': 2, 'test': 2}
    """
    match spec:
        case FileSplit():
            path = locate(spec.file, folders, spec.url, spec.sha256)
            return checked_split(read_split_file(path), rows, source=f"split file {path}")
        case RandomSplit():
            return random_split(rows, spec.fractions, spec.seed)
        case ScaffoldSplit():
            if scaffolds is None:
                raise ValueError("a scaffold split needs the scaffolds of the rows")
            return scaffold_split(*scaffolds, spec.fractions, spec.seed)
        case FoldSplit(scaffolds=False):
            return fold_split(np.arange(rows), random_folds(rows, spec.folds, spec.seed), spec.folds, spec.fold)
        case FoldSplit():
            if scaffolds is None:
                raise ValueError("folds of scaffolds need the scaffolds of the rows")
            numbers, texts = scaffolds
            return fold_split(numbers, scaffold_folds(texts, spec.folds, spec.seed), spec.folds, spec.fold)
        case ColumnSplit():
            if table is None:
                raise ValueError("a column split needs the table")
            return column_split(table.column(spec.column), spec.column)
        case TablesSplit():
            if table is None:
                raise ValueError("a tables split needs the table")
            return tables_split(table.rows_of_files(), spec)


def checked_split(parts: Mapping[str, NDArray[np.int64]], rows: int, source: str) -> Split:
    """Return parts as a split: sorted, under our part names (``valid`` and ``VAL`` are ``val``).

    Raises:
        MolfoundError: a row number outside ``[0, rows)``, twice in a part or in two parts; no part at all, or too many.
    """
    if not parts:
        raise MolfoundError(f"{source} has no part")
    _refuse_many(len(parts), source)
    split: Split = {}
    owner = np.full(rows, -1, dtype=np.int16)
    for number, (name, members) in enumerate(parts.items()):
        part = _our_name(name)
        if part in split:
            raise MolfoundError(f"{source} has two parts for '{part}'")
        numbers = np.sort(members)
        if len(numbers) and not 0 <= numbers[0] <= numbers[-1] < rows:
            wrong = numbers[0] if numbers[0] < 0 else numbers[-1]
            raise MolfoundError(f"{source}: part '{name}' has row {wrong}, and the table has rows 0 to {rows - 1}")
        twice = numbers[1:][np.diff(numbers) == 0]
        if len(twice):
            raise MolfoundError(f"{source}: row {twice[0]} stands twice in part '{name}'")
        taken = numbers[owner[numbers] >= 0]
        if len(taken):
            other = list(parts)[owner[taken[0]]]
            raise MolfoundError(f"{source}: row {taken[0]} is in part '{other}' and in part '{name}'")
        owner[numbers] = number
        split[part] = numbers.astype(np.int64)
    return split


def column_split(cells: pa.Array, column: str) -> Split:
    """Return the rows by the part that their cell names; a row with an empty cell is in no part.

    Raises:
        MolfoundError: a column that is no text, has no part at all, or too many.
    """
    if not pa.types.is_string(cells.type):
        raise MolfoundError(f"split column '{column}' holds {cells.type}, not names of parts")
    names = pc.utf8_trim_whitespace(cells.fill_null("")).dictionary_encode()
    source = f"split column '{column}'"
    _refuse_many(len(names.dictionary), source)
    codes = names.indices.to_numpy()
    spellings: dict[str, list[int]] = {}
    for code, name in enumerate(names.dictionary.to_pylist()):
        if name:
            spellings.setdefault(_our_name(name), []).append(code)
    parts = {name: np.flatnonzero(np.isin(codes, members)) for name, members in spellings.items()}
    return checked_split(parts, len(cells), source)


def tables_split(sizes: Sequence[int], spec: TablesSplit) -> Split:
    """Return the rows by the file of the table that they are in, some of train drawn for val where that is asked for.

    Args:
        sizes: number of rows of each file.
        spec: the part of each file.

    Raises:
        MolfoundError: another number of parts than of files, or a share drawn for val where files have that part or
            none is train.
    """
    if len(sizes) != len(spec.parts):
        raise MolfoundError(f"the split names a part for {len(spec.parts)} files, and the table has {len(sizes)} files")
    number = np.repeat(np.arange(len(sizes)), sizes)
    members: dict[str, list[int]] = {}
    for file, part in enumerate(spec.parts):
        members.setdefault(_our_name(part), []).append(file)
    split = {part: np.flatnonzero(np.isin(number, files)) for part, files in members.items()}
    if spec.val:
        if "val" in split or "train" not in split:
            raise MolfoundError("the split draws a share of train for val: it needs a part train and none named val")
        drawn = random_split(len(split["train"]), (1 - spec.val, spec.val, 0.0), spec.seed)
        split = {part: split["train"][places] for part, places in drawn.items()} | {
            part: rows for part, rows in split.items() if part != "train"
        }
    return split


def _our_name(part: str) -> str:
    """Return our name of a part that is known under the given one in whatever case; any other name stays."""
    folded = part.lower()
    return OTHER_NAMES.get(folded, folded if folded in PARTS else part)


def _refuse_many(parts: int, source: str) -> None:
    if parts > MOST_PARTS:
        raise MolfoundError(f"{source} names {parts:,} different parts, more than {MOST_PARTS}: are they parts at all?")


def random_split(rows: int, fractions: Sequence[float], seed: int) -> Split:
    """Return rows drawn at random: a pure function of its arguments, the same with every version of every library.

    The rows are ordered by random 64-bit words of the counter-based Philox generator (Salmon et al., 2011).
    """
    words = np.random.Philox(key=seed).random_raw(rows)
    return _cut(np.argsort(words, kind="stable"), fractions)


def scaffold_split(rows: NDArray[np.int64], scaffolds: Sequence[str], fractions: Sequence[float], seed: int) -> Split:
    """Return whole scaffolds by part, balanced: large ones to train, the others drawn at random.

    Scaffolds with more rows than half of the smaller of val and test come first; the others follow in random order;
    each goes to the first part that has room for all of it, as in Yang et al., "Analyzing learned molecular
    representations for property prediction" (2019). Molecules without a ring share the empty scaffold.

    Args:
        rows: int64 ``[G]``, row numbers, ascending.
        scaffolds: ``[G]``, their Murcko scaffolds.
        fractions: shares of the G rows for train, val and test.
        seed: of the random order.
    """
    group, sizes = scaffold_groups(scaffolds)
    targets = [fraction * len(rows) for fraction in fractions]
    large = sizes > min((target for target in targets[1:] if target), default=np.inf) / 2
    words = np.random.Philox(key=seed).random_raw(len(sizes))
    order = np.lexsort((words, np.where(large, -sizes, 0)))
    room = np.diff([round(sum(targets[:i])) for i in range(len(PARTS) + 1)])
    uses_all = sum(fractions) > 1 - 1e-9
    part_of_group = np.full(len(sizes), -1)
    for number, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        fitting = np.flatnonzero(room >= size)
        if len(fitting) or uses_all:
            part = fitting[0] if len(fitting) else np.argmax(room)
            room[part] -= size
            part_of_group[number] = part
    part_of_row = part_of_group[group]
    return {name: rows[part_of_row == i] for i, name in enumerate(PARTS) if fractions[i]}


def random_folds(rows: int, folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each row, int64 ``[rows]`` from 0, drawn as in `random_split`; sizes differ by one at most.

    Raises:
        MolfoundError: fewer rows than folds.
    """
    if rows < folds:
        raise MolfoundError(f"{folds} folds need as many rows, and there are {rows}")
    words = np.random.Philox(key=seed).random_raw(rows)
    fold = np.empty(rows, np.int64)
    fold[np.argsort(words, kind="stable")] = np.arange(rows) % folds
    return fold


def scaffold_folds(scaffolds: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each row, int64 ``[rows]`` from 0, no scaffold in two folds.

    The scaffolds, from the most frequent to the rarest and in random order where they are as frequent, go each to the
    fold that has the fewest rows, as in scikit-learn's ``GroupKFold``.

    Raises:
        MolfoundError: fewer scaffolds than folds.
    """
    group, sizes = scaffold_groups(scaffolds)
    if len(sizes) < folds:
        raise MolfoundError(
            f"{folds} folds of scaffolds need as many scaffolds, and the molecules have {len(sizes)}: deal out rows "
            "(scaffolds: false)"
        )
    words = np.random.Philox(key=seed).random_raw(len(sizes))
    fold_of_group, filled = np.empty(len(sizes), np.int64), np.zeros(folds, np.int64)
    for number in np.lexsort((words, -sizes)).tolist():
        fold_of_group[number] = emptiest = int(np.argmin(filled))
        filled[emptiest] += sizes[number]
    return fold_of_group[group]


def fold_split(rows: NDArray[np.int64], folds: NDArray[np.int64], count: int, test: int) -> Split:
    """Return the division whose test part is a fold: the next one is val, the others are train.

    Args:
        rows: row numbers, ascending.
        folds: the fold of each, from 0.
        count: number of folds.
        test: the fold for test, from 1.
    """
    val = test % count + 1
    parts = {"train": ~np.isin(folds, (val - 1, test - 1)), "val": folds == val - 1, "test": folds == test - 1}
    return {name: rows[chosen] for name, chosen in parts.items()}


def scaffold_groups(scaffolds: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's scaffold number, in order of first appearance, and the number of rows of each scaffold."""
    encoded = pa.array(scaffolds, pa.string()).dictionary_encode()
    group = encoded.indices.to_numpy().astype(np.int64)
    return group, np.bincount(group, minlength=len(encoded.dictionary))


def _cut(order: NDArray[np.int64], fractions: Sequence[float]) -> Split:
    bounds = [round(sum(fractions[:i]) * len(order)) for i in range(len(PARTS) + 1)]
    return {name: np.sort(order[bounds[i] : bounds[i + 1]]) for i, name in enumerate(PARTS) if fractions[i]}
