"""Predictions in memory and in a temporary file: what is read is what was added, and no file outlives its reader."""

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molfound.errors import MolfoundError
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


def test_no_temporary_file_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    collected = CollectedPredictions(3, 2)
    collected.add(_chunk(np.random.default_rng(0), 3, 10))
    collected.spill()
    file = collected._file
    if os.name == "posix":  # where a file without a name goes even with a process that is killed
        assert not list(tmp_path.iterdir())
    del collected
    gc.collect()
    assert file.closed
    assert not list(tmp_path.iterdir())


SPILL_AND_DIE = """
import os, signal, sys
import numpy as np
from molfound.tasks.collected import CollectedPredictions, LabelledRows
collected = CollectedPredictions(1, 2)
collected.add(LabelledRows(np.zeros(9, np.int32), np.zeros((9, 2), np.float32)))
collected.spill()
print("spilled", flush=True)
if sys.argv[1] == "error":
    raise ValueError
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("end", ["error", "SIGINT", "SIGKILL"])
def test_no_temporary_file_outlives_the_process(end, tmp_path):
    command = [sys.executable, "-c", SPILL_AND_DIE, end]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True)
    assert done.stdout == b"spilled\n"
    assert done.returncode
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: open("/dev/full", "r+b", buffering=0))  # noqa: PTH123, SIM115
    collected = CollectedPredictions(3, 2)
    collected.add(_chunk(np.random.default_rng(0), 3, 10))
    with pytest.raises(MolfoundError, match=r"^the disk is full, writing predictions .*TMPDIR.*metrics_mib$"):
        collected.spill()
