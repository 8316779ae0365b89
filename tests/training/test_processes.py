"""Several processes train what one trains: the same losses, scores and weights but for rounding, stopped or not."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from molfound.config import Experiment, to_yaml
from molfound.errors import MolfoundError
from molfound.training.processes import Processes
from molfound.training.recorder import TrainingInterruptedError
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train
from tests.training.conftest import MakeExperiment
from tests.training.test_pretraining import OBJECTIVES, TWO_TRACK
from tests.training.test_resume import EVERY_STEP, assert_same_run, train_until

NO_CHANCE = ("model.inputs.dropout=0.0", "model.encoder.dropout=0.0", "training.threads=1")
CASES = {
    "weighted labels, steps of two batches": (2, ("training.accumulate=2",)),
    # The last batch of an epoch, of one or two molecules, leaves processes without any.
    "more processes than molecules": (
        3,
        ("data.batch.size=4", "training.epochs=2", "training.task_weights=uncertainty", "tasks.logp.reduction=label"),
    ),
    "the same, each with a share of the encoder": (
        3,
        ("data.batch.size=4", "training.epochs=2", "training.shard=true"),
    ),
    "objectives, each with a share of the encoder": (
        2,
        (
            "training.shard=true",
            *TWO_TRACK,
            "model.encoder.checkpointing=true",
            *OBJECTIVES,
            "model.encoder.dropout=0.0",
            "model.encoder.attention_dropout=0.0",
            "model.encoder.triangle_dropout=0.0",
            "objectives.denoising.dropout=0.0",
            "training.epochs=1",
        ),
    ),
}


def assert_near(first: RunFolder, second: RunFolder) -> None:
    """Assert that two runs differ by rounding only."""
    ours, theirs = load_file(first.model), load_file(second.model)
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], atol=2e-5, rtol=1e-4)
    lines, others = (list(map(json.loads, run.metrics.read_text().splitlines())) for run in (first, second))
    assert [line | {"value": None} for line in lines] == [line | {"value": None} for line in others]
    values, other_values = (
        [np.nan if line["value"] is None else line["value"] for line in some] for some in (lines, others)
    )
    np.testing.assert_allclose(values, other_values, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("count", "options"), CASES.values(), ids=CASES)
def test_several_processes_train_what_one_does(
    experiment: MakeExperiment, count: int, options: tuple[str, ...]
) -> None:
    one = train(experiment(*NO_CHANCE, *options, run="one"))
    several = train(experiment(*NO_CHANCE, *options, f"training.devices={count}", run="several"))
    assert_near(one, several)


def test_a_training_goes_on_with_another_number_of_processes_and_shares(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(experiment(EVERY_STEP, *NO_CHANCE, run="whole"))
    train_until(experiment(EVERY_STEP, *NO_CHANCE, run="killed"), 10, monkeypatch)
    killed = RunFolder(whole.path.parent / "killed")
    several = experiment(EVERY_STEP, *NO_CHANCE, "training.devices=2", "training.shard=true", run="killed")
    assert_near(whole, resume(killed.path, several))


def started(chosen: Experiment, folder: Path, *options: str) -> subprocess.Popen[str]:
    path = folder / "chosen.yaml"
    path.write_text(to_yaml(chosen))
    command = [sys.executable, "-m", "molfound", "train", str(path), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def until_written(path: Path, process: subprocess.Popen[str], before: int = 0) -> int:
    """Return when a file was written, once it is, after a time in nanoseconds."""
    while not path.exists() or path.stat().st_mtime_ns <= before:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    return path.stat().st_mtime_ns


@contextmanager
def interrupted_once_written(path: Path, before: int) -> Iterator[None]:
    """Send SIGINT to this process alone once a file has been written, after a time in nanoseconds."""

    def watch() -> None:
        while path.stat().st_mtime_ns <= before:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    thread.join()


def test_two_processes_stopped_and_killed_end_in_the_same_bits(experiment: MakeExperiment, tmp_path: Path) -> None:
    options = ("training.devices=2", "training.checkpoint_steps=1", "training.epochs=6")
    whole = train(experiment(*options, run="whole"))
    chosen = experiment(*options, run="stopped")
    stopped = RunFolder(chosen.run_folder)
    # Ctrl-C in a terminal reaches every process of it.
    process = started(chosen, tmp_path)
    until_written(stopped.last_checkpoint, process)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 130
    assert told.count("Ctrl-C: finishing this step") == 1
    assert told.splitlines()[-1].endswith(f"go on with: molfound train --resume {stopped.path}")
    assert "Traceback" not in told
    # Who ends a job may send its signal to the first process alone.
    before = stopped.last_checkpoint.stat().st_mtime_ns
    with interrupted_once_written(stopped.last_checkpoint, before), pytest.raises(TrainingInterruptedError):
        resume(stopped.path)
    before = stopped.last_checkpoint.stat().st_mtime_ns
    process = started(chosen, tmp_path, "--resume", str(stopped.path))
    until_written(stopped.last_checkpoint, process, before)
    process.kill()
    process.communicate(timeout=300)  # until the others have ended too
    assert not stopped.scores.exists()
    assert_same_run(whole, resume(stopped.path))


def test_a_mistake_that_one_process_meets_is_told_in_a_line(experiment: MakeExperiment, tmp_path: Path) -> None:
    chosen = experiment("training.devices=2", "training.optimizer.lr=1e30", "training.clip=null", run="broken")
    process = started(chosen, tmp_path)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "is not finite at epoch" in told.splitlines()[-1]
    assert "Traceback" not in told


def test_norms_over_the_batch_are_refused(experiment: MakeExperiment) -> None:
    chosen = experiment("training.devices=2", "model.encoder.norm=batch", run="norm")
    with pytest.raises(MolfoundError, match=r"norm 'batch' .* with several processes"):
        train(chosen)
    assert not RunFolder(chosen.run_folder).config.exists()


def test_the_environment_tells_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert Processes.of_environment() == Processes()
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(MolfoundError, match="RANK but no WORLD_SIZE"):
        Processes.of_environment()
    for name, value in (("WORLD_SIZE", "4"), ("LOCAL_RANK", "1"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    assert Processes.of_environment() == Processes(3, 4, 1, 2)
    assert not Processes.of_environment().first
