"""A temporary file holds what was written, says when the disk is full, and outlives nobody."""

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from molfound.errors import MolfoundError
from molfound.tasks.scratch_file import ScratchFile


def test_what_is_missing_is_not_made_up():
    scratch = ScratchFile()
    scratch.append(memoryview(b"abc"))
    with pytest.raises(EOFError, match="2 bytes are missing"):
        scratch.read_into(memoryview(bytearray(4)), offset=1)


def test_no_temporary_file_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scratch = ScratchFile()
    scratch.append(memoryview(b"abc"))
    file = scratch._file
    if os.name == "posix":  # where a file without a name goes even with a process that is killed
        assert not list(tmp_path.iterdir())
    del scratch
    gc.collect()
    assert file.closed
    assert not list(tmp_path.iterdir())


WRITE_AND_DIE = """
import os, signal, sys
# A process started in the background may ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from molfound.tasks.scratch_file import ScratchFile
scratch = ScratchFile()
scratch.append(memoryview(b"abc"))
print("written", flush=True)
if sys.argv[1] == "error":
    raise ValueError
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("end", ["error", "SIGINT", "SIGKILL"])
def test_no_temporary_file_outlives_the_process(end, tmp_path):
    command = [sys.executable, "-c", WRITE_AND_DIE, end]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True)
    assert done.stdout == b"written\n"
    assert done.returncode
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_clear_line(monkeypatch):
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: full)
        with pytest.raises(MolfoundError, match=r"^the disk is full, writing predictions .*TMPDIR.*metrics_mib$"):
            ScratchFile().append(memoryview(b"abc"))
