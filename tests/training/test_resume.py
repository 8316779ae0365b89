"""A training killed anywhere and resumed ends in the same bits as one that was not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from molfound.errors import MolfoundError
from molfound.training.module import TrainingModule
from molfound.training.recorder import RunRecorder
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train
from tests.training.conftest import MakeExperiment

EVERY_STEP = "training.checkpoint_steps=2"


class Killed(BaseException):
    """Stands for the end of the process."""


def train_until(
    experiment: Any, batches: int, monkeypatch: pytest.MonkeyPatch, begin: Callable[[Any], object] = train
) -> None:
    """Train, or what else `begin` does, and die right before the end of the given batch, counted from there on."""
    seen = 0
    original = RunRecorder.on_train_batch_end

    def count(self: RunRecorder, *arguments: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == batches:
            raise Killed
        original(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(RunRecorder, "on_train_batch_end", count)
        with pytest.raises(Killed):
            begin(experiment)


def assert_same_run(first: RunFolder, second: RunFolder) -> None:
    ours, theirs = load_file(first.model), load_file(second.model)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.numpy().tobytes() == theirs[name].numpy().tobytes(), name
    assert first.metrics.read_bytes() == second.metrics.read_bytes()
    assert first.scores.read_bytes() == second.scores.read_bytes()


@pytest.mark.parametrize(
    "options",
    [(), ("training.accumulate=2",), ("training.average=null", "data.batch.nodes=60")],
    ids=["plain", "accumulate", "node budget"],
)
@pytest.mark.parametrize("batches", [1, 4, 7, 13])
def test_resumed_training_ends_in_the_same_bits(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch, batches: int, options: tuple[str, ...]
) -> None:
    whole = train(experiment(EVERY_STEP, *options, run="whole"))
    killed = experiment(EVERY_STEP, *options, run="killed")
    train_until(killed, batches, monkeypatch)
    assert_same_run(whole, resume(killed.run_folder))


def test_a_training_killed_twice_ends_in_the_same_bits(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(experiment(EVERY_STEP, run="whole"))
    killed = experiment(EVERY_STEP, run="killed")
    train_until(killed, 9, monkeypatch)
    original = RunRecorder.on_train_epoch_end

    def die(self: RunRecorder, *arguments: Any) -> None:
        original(self, *arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(RunRecorder, "on_train_epoch_end", die)
        with pytest.raises(Killed):
            resume(killed.run_folder)
    assert_same_run(whole, resume(killed.run_folder))


def test_killed_after_the_last_batch_of_an_epoch_it_goes_on(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("training.checkpoint_steps=1", "training.epochs=3")
    whole = train(experiment(*options, run="whole"))
    killed = experiment(*options, run="killed")

    def die(self: TrainingModule) -> None:
        raise Killed

    for _ in range(2):  # in the validation of the first epoch, and again in the same place
        with monkeypatch.context() as patched:
            patched.setattr(TrainingModule, "on_validation_start", die)
            with pytest.raises(Killed):
                train(killed) if not RunFolder(killed.run_folder).has_progress else resume(killed.run_folder)
    assert_same_run(whole, resume(killed.run_folder))


def test_data_that_moved_are_found_where_they_are_now(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed = experiment(EVERY_STEP)
    train_until(killed, 7, monkeypatch)
    moved = experiment(EVERY_STEP, f"data.store={tmp_path / 'elsewhere'}")
    assert resume(killed.run_folder, moved).scores.exists()
    assert (tmp_path / "elsewhere" / "props" / "store.json").exists()


def test_a_finished_run_resumed_stays_as_it_is(experiment: MakeExperiment) -> None:
    run = train(experiment())
    before = {path: path.read_bytes() for path in (run.model, run.metrics, run.scores, run.last_checkpoint)}
    resume(run.path)
    assert {path: path.read_bytes() for path in before} == before


def test_a_finished_run_without_its_checkpoint_is_not_trained_anew(experiment: MakeExperiment) -> None:
    run = train(experiment())
    shutil.rmtree(run.last_checkpoint.parent)
    before = {path: path.read_bytes() for path in (run.model, run.metrics, run.scores)}
    with pytest.raises(MolfoundError, match="has a model and no checkpoint to go on from"):
        resume(run.path)
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_is_not_overwritten_unasked(experiment: MakeExperiment) -> None:
    run = train(experiment("training.epochs=1"))
    with pytest.raises(MolfoundError, match=f"{run.path} holds a run already"):
        train(experiment("training.epochs=1"))
    assert train(experiment("training.epochs=1"), overwrite=True).scores.exists()


def test_a_run_is_not_resumed_as_another_experiment(experiment: MakeExperiment) -> None:
    run = train(experiment("training.epochs=1"))
    with pytest.raises(MolfoundError, match=r"another experiment: training\.optimizer\.lr differ"):
        resume(run.path, experiment("training.epochs=1", "training.optimizer.lr=1e-5"))


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match="is not a run folder"):
        resume(tmp_path)
