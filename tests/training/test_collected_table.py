"""Rows come back ascending by number, whatever their order, in memory or in a file."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molfound.training.collected_table import CollectedTable


def batch(numbers: list[int]) -> pa.RecordBatch:
    """Return two rows of each number, which tell their order."""
    row = np.repeat(np.array(numbers, np.int64), 2)
    values = pa.array([[number, place] for number in numbers for place in (0.0, 1.0)], pa.list_(pa.float64()))
    return pa.record_batch({"row": row, "values": values})


@settings(max_examples=40, deadline=None)
@given(
    numbers=st.permutations(range(20)),
    cuts=st.lists(st.integers(0, 20), max_size=4),
    spills=st.sets(st.integers(0, 5)),
    size=st.sampled_from([0, 100, 10_000]),
)
def test_rows_ascend(numbers: list[int], cuts: list[int], spills: set[int], size: int) -> None:
    table = CollectedTable()
    ends = [0, *sorted(cuts), 20]
    for place, (first, last) in enumerate(pairwise(ends)):
        table.add(batch(numbers[first:last]))
        if place in spills:
            table.spill()
            assert table.held == 0
    pieces = list(table.ascending(size))
    assert pa.concat_tables(pieces).column("values").to_pylist() == [[n, p] for n in range(20) for p in (0.0, 1.0)]
    assert len(pieces) == {0: 20, 10_000: 1}.get(size, len(pieces))
    assert len(pieces) > 1 or size == 10_000


@pytest.mark.parametrize("batches", [[], [batch([])]])
def test_of_nothing_there_is_nothing(batches: list[pa.RecordBatch]) -> None:
    table = CollectedTable()
    for empty in batches:
        table.add(empty)
    assert not list(table.ascending(100))
    assert (table.schema is None) == (not batches)
