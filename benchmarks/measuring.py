"""What the benchmarks share: alternating rounds in one process on one thread, memory, and one JSON object last."""

import argparse
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal


def arguments(description: str, **defaults: int) -> argparse.Namespace:
    """Return the parsed command line: ``--data FOLDER`` and one integer option per default."""
    parser = argparse.ArgumentParser(description=description)
    data = os.environ.get("MOLFOUND_DATA")
    parser.add_argument(
        "--data", type=Path, default=data and Path(data), required=not data, help="folder of the real data"
    )
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def alternate(subjects: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each subject over rounds in which all run, one after the other.

    Alternating them lets a slow moment of the machine fall on all; the first round is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        for name, run in subjects.items():
            started = time.perf_counter()
            run()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(
    ratio: float, bar: float, better: Literal["higher", "lower"] = "higher", /, *, met: bool | None = None, **parts: Any
) -> None:
    """Print the result as one JSON object, its figures rounded to four significant digits.

    Args:
        ratio: what is measured.
        bar: what it has to reach, or to stay below.
        better: whether a higher or a lower ratio is better.
        met: whether the bar is met, if that is not said by the ratio alone.
        parts: other figures.
    """
    reached = ratio >= bar if better == "higher" else ratio <= bar
    result = {"ratio": ratio, "bar": bar, "met": reached if met is None else met, "better": better, **parts}
    print(json.dumps({key: float(f"{v:.4g}") if isinstance(v, float) else v for key, v in result.items()}))


class MemoryWatch:
    """The peak of the memory of a process and all its children, shared pages divided among them (Linux)."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak, self._stopped = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        """Stop watching and return the peak in bytes."""
        self._stopped.set()
        self._thread.join()
        return self.peak

    def _watch(self) -> None:
        while not self._stopped.wait(0.05):
            self.peak = max(self.peak, proportional_memory(self.pid))


def proportional_memory(pid: int) -> int:
    """Return the memory of a process and its children, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    own = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return own + sum(proportional_memory(int(child)) for child in children)
