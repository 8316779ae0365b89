"""Label cells: numbers and lists of numbers, read from whole columns, with the cells that are neither."""

import json
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# Whole numbers as floats, so that none has too many digits: beyond float64 they are infinite, as in other text.
_JSON = json.JSONDecoder(parse_int=float)

MISSING = pa.array(["", "nan", "na", "n/a", "<na>", "null", "none"])
_MISSING = frozenset(MISSING.to_pylist())


@dataclass(frozen=True)
class Problem:
    """What is wrong with a cell: a reason of one snake-case word, and the cell as it was written."""

    reason: str
    text: str


@dataclass(frozen=True)
class Numbers:
    """A column of n numbers.

    Attributes:
        values: float32 ``[n]``, NaN where missing.
        problems: by position, the cells that hold no finite number.
    """

    values: NDArray[np.float32]
    problems: dict[int, Problem] = field(default_factory=dict)


@dataclass(frozen=True)
class NumberLists:
    """A column of n lists of numbers.

    Attributes:
        counts: int64 ``[n]``, length of each list; -1 where the whole cell is missing.
        values: float32 ``[sum of the lengths]``, NaN where one is missing.
        problems: by position, the cells that hold no list of finite numbers; their count is -1.
    """

    counts: NDArray[np.int64]
    values: NDArray[np.float32]
    problems: dict[int, Problem] = field(default_factory=dict)


def holds_numbers(kind: pa.DataType) -> bool:
    """Whether a column of this type may hold one number per cell."""
    numeric: bool = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return numeric or bool(pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_null(kind))


def holds_lists(kind: pa.DataType) -> bool:
    """Whether a column of this type may hold a list of numbers per cell; text may, as JSON."""
    if pa.types.is_list(kind):
        return holds_numbers(kind.value_type) and not pa.types.is_string(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_null(kind))


def is_missing(text: str) -> bool:
    """Whether the text of a cell stands for nothing.

    >>> is_missing(" NaN "), is_missing("0")
    (True, False)
    """
    return text.strip().lower() in _MISSING


def read_numbers(column: pa.Array) -> Numbers:
    """Return the numbers of a column of numbers or of text.

    Missing are null, NaN and, in any case, the words of `MISSING`. A number that float32 cannot hold is not finite.

    >>> read_numbers(pa.array(["1.5", "", "abc", "1e39"])).problems
    {2: Problem(reason='label_not_a_number', text='abc'), 3: Problem(reason='label_not_finite', text='1e39')}
    """
    problems: dict[int, Problem] = {}
    cells = _trimmed(column) if pa.types.is_string(column.type) else column
    try:
        # Not safe: an integer beyond 2^53 is rounded, as the same number in text is.
        numbers = cells.cast(pa.float64(), safe=False)
    except pa.ArrowInvalid:
        numbers = _numbers_among(cells)
        for position in np.flatnonzero(np.asarray(pc.and_(cells.is_valid(), numbers.is_null()))).tolist():
            problems[position] = Problem("label_not_a_number", column[position].as_py())
    values = _float32(numbers)
    for position in np.flatnonzero(np.isinf(values)).tolist():
        problems[position] = Problem("label_not_finite", str(column[position].as_py()))
    values[list(problems)] = np.nan
    return Numbers(values, problems)


def read_number_lists(column: pa.Array) -> NumberLists:
    """Return the lists of a column of lists, or of text that holds them as JSON.

    >>> read_number_lists(pa.array([[1.0, None], None, []])).counts.tolist()
    [2, -1, 0]
    """
    problems: dict[int, Problem] = {}
    if pa.types.is_string(column.type):
        column, problems = _parsed_lists(column)
    elif pa.types.is_null(column.type):
        column = column.cast(pa.list_(pa.float64()))
    counts = np.asarray(column.value_lengths().fill_null(-1)).astype(np.int64)
    values = _float32(column.flatten().cast(pa.float64(), safe=False))
    owners = np.repeat(np.arange(len(counts)), np.maximum(counts, 0))
    infinite = np.isinf(values)
    for position, value in zip(owners[infinite].tolist(), column.flatten().filter(pa.array(infinite)), strict=True):
        problems.setdefault(position, Problem("label_not_finite", str(value.as_py())))
    sound = np.ones(len(counts), dtype=bool)
    sound[list(problems)] = False
    return NumberLists(np.where(sound, counts, -1), values[sound[owners]], problems)


def _trimmed(column: pa.Array) -> pa.Array:
    """Return the cells without surrounding spaces, null where missing."""
    cells = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(pc.utf8_lower(cells), MISSING), pa.scalar(None, pa.string()), cells)


def _numbers_among(cells: pa.Array) -> pa.Array:
    """Return the numbers of cells of which some are none: null there. Each different cell is tried once."""
    encoded = cells.dictionary_encode()
    numbers = pa.concat_arrays(
        [_number_or_null(encoded.dictionary.slice(i, 1)) for i in range(len(encoded.dictionary))]
    )
    return numbers.take(encoded.indices)


def _number_or_null(cell: pa.Array) -> pa.Array:
    try:
        return cell.cast(pa.float64())
    except pa.ArrowInvalid:
        return pa.nulls(1, pa.float64())


def _parsed_lists(column: pa.Array) -> tuple[pa.Array, dict[int, Problem]]:
    problems: dict[int, Problem] = {}
    lists: list[list[float] | None] = []
    for position, text in enumerate(_trimmed(column).to_pylist()):
        try:
            parsed = None if text is None else _JSON.decode(text)
        except (ValueError, RecursionError):
            parsed = text
        if parsed is not None and not _is_number_list(parsed):
            problems[position] = Problem("label_not_a_number", str(text))
            parsed = None
        lists.append(parsed)
    return pa.array(lists, pa.list_(pa.float64())), problems


def _is_number_list(value: object) -> bool:
    return isinstance(value, list) and all(item is None or isinstance(item, float) for item in value)


def _float32(numbers: pa.Array) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values: NDArray[np.float32] = numbers.to_numpy(zero_copy_only=False).astype(np.float32)
    return values
