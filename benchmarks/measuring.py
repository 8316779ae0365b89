"""What the speed benchmarks share: alternating rounds in one process on one thread, and one JSON object last."""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


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


def report(ratio: float, bar: float, *, met: bool | None = None, **parts: Any) -> None:
    """Print the result as one JSON object, its figures rounded to four significant digits."""
    result = {"ratio": ratio, "bar": bar, "met": ratio >= bar if met is None else met, **parts}
    print(json.dumps({key: float(f"{v:.4g}") if isinstance(v, float) else v for key, v in result.items()}))
