"""A training on real data, killed (kill -9) at random moments and resumed, against one that is left alone."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import report
from safetensors.torch import load_file

BAR = 1.0


def main() -> None:
    """Kill, resume, and compare the final weights and the recorded figures bit by bit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        config = write_config(Path(folder), options.data, options.epochs)
        started = time.perf_counter()
        finish(["train", str(config), "run.folder=whole"], Path(folder))
        seconds = time.perf_counter() - started
        run = Path(folder) / "killed"
        positions = []
        for number in range(options.kills):
            resumed = ["train", "--resume", "killed"] if (run / "config.yaml").exists() else None
            process = start(resumed or ["train", str(config), "run.folder=killed"], Path(folder))
            time.sleep(chance.uniform(0, seconds * 2 / options.kills) + (seconds / 4 if number else seconds / 2))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            positions.append(line_count(run / "metrics.jsonl"))
        finish(["train", "--resume", "killed"], Path(folder))
        same = same_run(Path(folder) / "whole", run)
    report(float(same), BAR, kills=options.kills, epochs=options.epochs, figures_when_killed=positions)
    raise SystemExit(not same)


def write_config(folder: Path, data: Path, epochs: int) -> Path:
    """Write an experiment on Tox21 that draws on all that a checkpoint must restore, and return its file."""
    path = folder / "killed.yaml"
    path.write_text(
        f"""extends: toymix/gine
name: killed
data: {{root: {data.resolve()}, datasets: {{qm9: null, zinc12k: null}}}}
tasks: {{qm9: null, zinc12k: null}}
training: {{epochs: {epochs}, threads: 1, checkpoint_steps: 5, accelerator: cpu}}
run: {{baselines: []}}
"""
    )
    return path


def start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start molfound in a group of its own."""
    command = [sys.executable, "-m", "molfound", *arguments]
    return subprocess.Popen(command, cwd=folder, start_new_session=True, stderr=subprocess.DEVNULL)


def finish(arguments: list[str], folder: Path) -> None:
    """Run molfound to the end."""
    if start(arguments, folder).wait():
        raise SystemExit(f"molfound {' '.join(arguments)} failed")


def line_count(path: Path) -> int:
    """Return how many figures had been recorded."""
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def same_run(first: Path, second: Path) -> bool:
    """Return whether two runs have the same weights and figures, bit by bit."""
    ours, theirs = (load_file(run / "model.safetensors") for run in (first, second))
    same_weights = ours.keys() == theirs.keys() and all(
        tensor.numpy().tobytes() == theirs[name].numpy().tobytes() for name, tensor in ours.items()
    )
    names = ("metrics.jsonl", "scores.json")
    return same_weights and all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


if __name__ == "__main__":
    main()
