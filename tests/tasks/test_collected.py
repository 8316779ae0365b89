"""Predictions in memory and in a temporary file: what is read is what was added."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from molfound.tasks.collected import BLOCK, CollectedPredictions, LabelledRows, label_ranges


def _chunk(rng, labels, values, width=2):
    label = np.sort(rng.integers(0, labels, values)).astype(np.int32)
    return LabelledRows(label, rng.normal(size=(values, width)).astype(np.float32))


def _in_some_order(chunk):
    return sorted((label, *row) for label, row in zip(chunk.label.tolist(), chunk.rows.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 20), max_size=6),
    spills=st.lists(st.booleans(), min_size=6, max_size=6),
    width=st.sampled_from([2, 5]),
)
def test_reads_what_was_added(seed, sizes, spills, width):
    rng = np.random.default_rng(seed)
    collected = CollectedPredictions(7, width)
    chunks = [_chunk(rng, 7, size, width) for size in sizes]
    for chunk, spill in zip(chunks, spills, strict=False):
        collected.add(chunk)
        if spill:
            collected.spill()
            assert collected.held == 0
    added = LabelledRows(*(np.concatenate(parts) for parts in zip(*chunks, strict=True))) if chunks else None
    for first, last in ((0, 7), (2, 5), (3, 3), (6, 7)):
        read = collected.read(first, last)
        there = (added.label >= first) & (added.label < last) if added else None
        expected = _in_some_order(LabelledRows(added.label[there], added.rows[there])) if added else []
        assert _in_some_order(read) == expected
    assert collected.used.tolist() == (np.bincount(added.label, minlength=7).tolist() if added else [0] * 7)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, BLOCK), min_size=1, max_size=30), st.sampled_from([2, 6]))
def test_ranges_follow_each_other_and_are_as_long_as_the_bound_allows(used, width):
    used = np.array(used)
    ranges = label_ranges(used, width)
    assert [first for first, _ in ranges] == [0, *(last for _, last in ranges[:-1])]
    assert ranges[-1][1] == len(used)
    for first, last in ranges:
        assert last == first + 1 or used[first:last].sum() * width <= BLOCK
        assert last == len(used) or used[first : last + 1].sum() * width > BLOCK
