"""Commands and programs in processes of their own that need not load torch and Lightning again.

A server loads what they need once and is forked for each of them.
"""

import os
import shlex
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

from molfound.cli import main

LOADED = [
    "molfound.benchmark.quality",
    "molfound.estimators.supervised",
    "molfound.inference.files",
    "molfound.sweep.running",
]


def run_line(line: str, folder: Path) -> None:
    """Run a shell line in a folder; it must succeed. A line that calls molfound does so without a shell."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["molfound"]:
        _run(_command, words[1:], folder)
    else:
        done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def run_program(code: str, folder: Path) -> None:
    """Run a Python program in a folder; it must succeed."""
    _run(_program, code, folder)


def _run(target: object, given: object, folder: Path) -> None:
    forks = get_context("forkserver")
    forks.set_forkserver_preload(LOADED)
    output = folder / ".output"
    process = forks.Process(target=_started, args=(target, given, folder, output))
    process.start()
    process.join(300)
    if process.is_alive():
        process.kill()
    assert process.exitcode == 0, f"{given}\n{output.read_text()}"


def _started(target: object, given: object, folder: Path, output: Path) -> None:
    os.chdir(folder)
    with output.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    assert callable(target)
    target(given)


def _command(arguments: list[str]) -> None:
    main(arguments)


def _program(code: str) -> None:
    exec(compile(code, "<page>", "exec"), {"__name__": "__main__"})
