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

from molfound.training.checkpoint import load_checkpoint

BAR = 1.0
CHECKPOINT_STEPS = 5


def main() -> None:
    """Kill, resume, and compare the final weights and the recorded figures bit by bit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_config(folder, options.data, options.epochs)
        finish(["train", str(config), "run.folder=whole"], folder)
        steps = steps_taken(folder / "whole")
        moments = sorted(chance.uniform(0, steps) for _ in range(options.kills))
        taken = [kill_at(moment, chance.uniform(0, 0.2), config, folder) for moment in moments]
        finish(["train", "--resume", "killed"], folder)
        same = same_run(folder / "whole", folder / "killed")
    report(float(same), BAR, kills=options.kills, steps=steps, steps_kept_when_killed=taken)
    raise SystemExit(not same)


def write_config(folder: Path, data: Path, epochs: int) -> Path:
    """Write an experiment on Tox21 that draws on all that a checkpoint must restore, and return its file."""
    path = folder / "killed.yaml"
    path.write_text(
        f"""extends: toymix/gine
name: killed
data:
  root: {data.resolve()}
  memory: 0.006   # so that the molecules are read block by block
  block_rows: 512
  batch: {{size: 50}}
  datasets: {{qm9: null, zinc12k: null}}
tasks: {{qm9: null, zinc12k: null}}
training: {{epochs: {epochs}, threads: 1, checkpoint_steps: {CHECKPOINT_STEPS}, accelerator: cpu}}
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


def kill_at(moment: float, later: float, config: Path, folder: Path) -> int:
    """Train or go on until a checkpoint of so many steps is there and a little on, kill, and return its steps."""
    run = folder / "killed"
    resumes = (run / "config.yaml").exists()
    process = start(["train", "--resume", "killed"] if resumes else ["train", str(config), "run.folder=killed"], folder)
    while steps_taken(run) < moment - CHECKPOINT_STEPS and process.poll() is None:
        time.sleep(0.02)
    time.sleep(later)
    if process.poll() is not None:
        raise SystemExit("the training ended before it was killed")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return steps_taken(run)


def steps_taken(run: Path) -> int:
    """Return the optimiser steps of a run's last checkpoint."""
    checkpoint = run / "checkpoints" / "last.pt"
    return load_checkpoint(checkpoint)["progress"].step if checkpoint.exists() else 0


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
