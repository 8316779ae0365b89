"""Run the scripts of ``benchmarks/`` and compare their ratios with those of an earlier day.

A script prints one JSON object last, ``{"ratio", "bar", "met", "better", …}``: what it measures as a ratio to a rival
that it runs in turn with it, so that a slow moment of the machine falls on both. What is left is noise, which is judged
from the repeats: a script has become slower if its median ratio is worse than the earlier median by more than the
largest of the spread (largest minus smallest) of the ratios now, their spread then, and `LEAST_NOISE` of the earlier
median, since few repeats may agree by chance. Seconds depend on the machine and its load; they are told, not judged.
"""

import ast
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from molfound.benchmark.machine import machine
from molfound.errors import MolfoundError, did_you_mean

LEAST_NOISE = 0.05
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Measured:
    """What the repeats of one script gave.

    Attributes:
        ratios: of each repeat that did not fail.
        seconds: wall-clock time of each of them.
        bar: what the ratio has to reach; None where all failed.
        met: whether every repeat met the bar.
        better: which ratio is better.
        failed: why a repeat failed; None where none did.
        figures: the last JSON object, whole.
    """

    ratios: tuple[float, ...]
    seconds: tuple[float, ...]
    bar: float | None
    met: bool
    better: Literal["higher", "lower"]
    failed: str | None
    figures: Mapping[str, Any]

    @property
    def ratio(self) -> float | None:
        """The median over the repeats."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def spread(self) -> float:
        """Largest minus smallest ratio."""
        return max(self.ratios) - min(self.ratios) if self.ratios else 0.0


def find_scripts(names: Sequence[str] = (), folder: Path | None = None) -> list[Path]:
    """Return the benchmarks in a folder, or those of these names, with or without ``.py``.

    A benchmark is a script that takes `report` from `measuring`; others are their parts and tools.

    Args:
        names: which; all if there are none.
        folder: where; None: ``benchmarks/`` of the checkout.

    Raises:
        MolfoundError: no such folder or script.
    """
    chosen = CHECKOUT / "benchmarks" if folder is None else folder
    if not (chosen / "measuring.py").is_file():
        if folder is None:
            raise MolfoundError(
                "the scripts of benchmarks/ come with a checkout of molfound, not with an installed package; name the "
                "folder where they are with --folder"
            )
        raise MolfoundError(f"{folder} holds no benchmarks: it has no measuring.py")
    known = {path.stem: path for path in sorted(chosen.glob("*.py")) if _reports(path)}
    wanted = list(dict.fromkeys(name.removesuffix(".py") for name in names)) or list(known)
    for name in wanted:
        if name not in known:
            raise MolfoundError(f"no benchmark '{name}' in {chosen}{did_you_mean(name, known)}")
    return [known[name] for name in wanted]


def measure_scripts(
    scripts: Sequence[Path],
    *,
    repeat: int,
    data: Path | None,
    say: Callable[[str], None],
    after_each: Callable[[dict[str, Measured]], None],
) -> dict[str, Measured]:
    """Return what each script measures, by its name; one that fails does not stop the others.

    Args:
        scripts: their files.
        repeat: how often each is run.
        data: folder of the real data; None: as the environment says.
        say: is told what runs.
        after_each: called after each script with all that has been measured so far.
    """
    found: dict[str, Measured] = {}
    for number, script in enumerate(scripts, 1):
        runs: list[dict[str, Any]] = []
        seconds: list[float] = []
        failed = None
        for turn in range(repeat):
            say(f"[{number}/{len(scripts)}] {script.stem}" + (f", {turn + 1} of {repeat}" if repeat > 1 else ""))
            started = time.perf_counter()
            result = _run(script, data)
            if isinstance(result, str):
                failed = result
                say(f"{script.stem} failed: {result}")
                break
            runs.append(result)
            seconds.append(time.perf_counter() - started)
        last = runs[-1] if runs else {}
        found[script.stem] = Measured(
            ratios=tuple(run["ratio"] for run in runs),
            seconds=tuple(seconds),
            bar=last.get("bar"),
            met=bool(runs) and failed is None and all(run["met"] for run in runs),
            better="lower" if last.get("better") == "lower" else "higher",
            failed=failed,
            figures=last,
        )
        after_each(found)
    return found


def verdict(now: Measured, earlier: Measured | None) -> str:
    """Return ``slower``, ``faster`` or ``same`` by the noise of both, or the empty text where one has no ratio.

    Example:
        >>> fast = Measured((2.0, 2.2), (9.0, 9.5), bar=1.0, met=True, better="higher", failed=None, figures={})
        >>> slow = Measured((1.7, 1.8), (9.1, 9.2), bar=1.0, met=True, better="higher", failed=None, figures={})
        >>> verdict(slow, fast), verdict(fast, slow), verdict(fast, fast)
        ('slower', 'faster', 'same')
    """
    if now.ratio is None or earlier is None or earlier.ratio is None:
        return ""
    noise = max(now.spread, earlier.spread, LEAST_NOISE * abs(earlier.ratio))
    gain = now.ratio - earlier.ratio if now.better == "higher" else earlier.ratio - now.ratio
    return "same" if abs(gain) <= noise else "faster" if gain > 0 else "slower"


def to_json(found: Mapping[str, Measured]) -> str:
    """Return what was measured, and on what machine, as JSON text that `read_measured` reads."""
    scripts = {
        name: {
            "ratio": measured.ratio,
            "ratios": measured.ratios,
            "seconds": [round(value, 2) for value in measured.seconds],
            "bar": measured.bar,
            "met": measured.met,
            "better": measured.better,
            "failed": measured.failed,
            "figures": dict(measured.figures),
        }
        for name, measured in found.items()
    }
    return json.dumps({"machine": machine(), "scripts": scripts}, indent=1, ensure_ascii=False) + "\n"


def read_measured(path: Path) -> tuple[dict[str, Any], dict[str, Measured]]:
    """Return the machine and what was measured on it from a file that `to_json` made.

    Raises:
        MolfoundError: no such file, or not of that form.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found = {
            name: Measured(
                ratios=tuple(map(float, entry["ratios"])),
                seconds=tuple(map(float, entry["seconds"])),
                bar=entry["bar"],
                met=entry["met"],
                better="lower" if entry["better"] == "lower" else "higher",
                failed=entry["failed"],
                figures=entry["figures"],
            )
            for name, entry in told["scripts"].items()
        }
        return dict(told["machine"]), found
    except OSError as error:
        raise MolfoundError(f"'{path}' cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MolfoundError(f"{path} is no result of 'molfound bench speed'") from None


def _reports(path: Path) -> bool:
    """Return whether a script takes `report` from `measuring`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "measuring"]
    return any(name.name == "report" for node in imports for name in node.names)


def _run(script: Path, data: Path | None) -> dict[str, Any] | str:
    """Return a script's last line as the JSON object that it is, or why there is none."""
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path} | ({"MOLFOUND_DATA": str(data)} if data is not None else {})
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return f"exit status {done.returncode}" + (f": {said[-1].strip()}" if said else "")
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    try:
        result = json.loads(lines[-1]) if lines else None
    except ValueError:
        result = None
    if not isinstance(result, dict) or not {"ratio", "bar", "met"} <= result.keys():
        return "its last line is no JSON object with ratio, bar and met"
    return result
