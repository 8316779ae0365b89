import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molfound.data.cells import read_number_lists, read_numbers

FLOATS = st.floats(width=32, allow_infinity=False)


@given(st.lists(st.none() | FLOATS))
def test_numbers_of_text_and_of_number_columns_agree(values: list[float | None]) -> None:
    expected = np.array([np.nan if value is None else value for value in values], np.float32)
    text = pa.array(["" if value is None else repr(value) for value in values], pa.string())
    for column in (text, pa.array(values, pa.float64()), pa.array(values, pa.float32())):
        numbers = read_numbers(column)
        np.testing.assert_array_equal(numbers.values, expected)
        assert not numbers.problems


@given(st.lists(st.text(alphabet="0123456789.eE+-naiNAfF x_", max_size=6)))
def test_every_text_is_a_number_missing_or_told(cells: list[str]) -> None:
    numbers = read_numbers(pa.array(cells, pa.string()))
    for position, cell in enumerate(cells):
        if position in numbers.problems:
            assert numbers.problems[position].text == cell
            assert np.isnan(numbers.values[position])
        elif cell.strip().lower().lstrip("+-") in ("", "nan", "na", "n/a"):
            assert np.isnan(numbers.values[position])
        else:
            assert numbers.values[position] == np.float32(float(cell))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("abc", "label_not_a_number"),
        ("1,5", "label_not_a_number"),
        ("1_0", "label_not_a_number"),
        ("inf", "label_not_finite"),
        ("-Infinity", "label_not_finite"),
        ("1e39", "label_not_finite"),
        ("-1e400", "label_not_finite"),
        ("3.4028235e38", None),
        (" 2.5 ", None),
        ("1.e-3", None),
    ],
)
def test_a_cell_that_is_no_finite_number_is_told(cell: str, reason: str | None) -> None:
    problems = read_numbers(pa.array(["1", cell, "NA"])).problems
    assert [(position, problem.reason, problem.text) for position, problem in problems.items()] == (
        [(1, reason, cell)] if reason else []
    )


@pytest.mark.parametrize(
    "cell", [None, "", "  ", "nan", "NaN", "NA", "na", "n/a", "N/A", "<NA>", "<na>", "null", "NULL", "none", " None "]
)
def test_a_missing_cell_is_neither_a_number_nor_a_problem(cell: str | None) -> None:
    for others in (["1"], ["1", "abc"]):  # a column with a cell that is no number is read in another way
        numbers = read_numbers(pa.array([cell, *others], pa.string()))
        assert np.isnan(numbers.values[0])
        assert numbers.values[1] == 1
        assert 0 not in numbers.problems
    lists = read_number_lists(pa.array([cell, "[1]"], pa.string()))
    assert (lists.counts.tolist(), lists.problems) == ([-1, 1], {})


@pytest.mark.parametrize("kind", [pa.int64(), pa.int8(), pa.bool_(), pa.decimal128(9, 2), pa.null()])
def test_other_number_columns_are_read(kind: pa.DataType) -> None:
    column = pa.nulls(3) if kind == pa.null() else pa.array([1, None, 0], pa.int8()).cast(kind)
    expected = [math.nan] * 3 if kind == pa.null() else [1, math.nan, 0]
    np.testing.assert_array_equal(read_numbers(column).values, np.array(expected, np.float32))


@given(st.lists(st.none() | st.lists(st.none() | FLOATS, max_size=4)))
def test_lists_of_list_columns_and_of_text_agree(lists: list[list[float | None] | None]) -> None:
    text = pa.array([None if cell is None else json.dumps(cell) for cell in lists], pa.string())
    flat = [np.nan if value is None else value for cell in lists if cell is not None for value in cell]
    for column in (pa.array(lists, pa.list_(pa.float64())), text):
        read = read_number_lists(column)
        assert read.counts.tolist() == [-1 if cell is None else len(cell) for cell in lists]
        np.testing.assert_array_equal(read.values, np.array(flat, np.float32))
        assert not read.problems


def test_a_list_that_is_none_is_told_and_takes_no_values() -> None:
    read = read_number_lists(pa.array(["[1]", "3", "[1, x]", '[1, "a"]', "[2, 1e39]", "[5]", "nan"]))
    assert read.counts.tolist() == [1, -1, -1, -1, -1, 1, -1]
    assert read.values.tolist() == [1, 5]
    assert {position: problem.reason for position, problem in read.problems.items()} == {
        1: "label_not_a_number",
        2: "label_not_a_number",
        3: "label_not_a_number",
        4: "label_not_finite",
    }
    assert read_number_lists(pa.array([[1.0], [float("inf"), 2.0], []])).counts.tolist() == [1, -1, 0]


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**53) - 1])
def test_an_integer_beyond_float64_s_digits_is_rounded(number: int) -> None:
    expected = [np.float32(number)]
    for column in (pa.array([number], pa.int64()), pa.array([str(number)])):
        numbers = read_numbers(column)
        assert (numbers.values.tolist(), numbers.problems) == (expected, {})
    for column in (pa.array([[number]], pa.list_(pa.int64())), pa.array([f"[{number}]"])):
        lists = read_number_lists(column)
        assert (lists.values.tolist(), lists.problems) == (expected, {})


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (f"[{'1' * 31}]", None),
        (f"[{'1' * 400}]", "label_not_finite"),
        (f"[-{'1' * 5000}]", "label_not_finite"),
        ("[" * 100_000, "label_not_a_number"),
        ("[" * 100_000 + "]" * 100_000, "label_not_a_number"),
        ("[true]", "label_not_a_number"),
        ("[[1]]", "label_not_a_number"),
    ],
)
def test_no_json_ends_in_anything_but_a_list_or_a_reason(cell: str, reason: str | None) -> None:
    read = read_number_lists(pa.array(["[1]", cell, "[2]"]))
    assert [problem.reason for problem in read.problems.values()] == ([reason] if reason else [])
    assert read.counts.tolist() == [1, -1 if reason else 1, 1]
