"""What is said of an epoch and at the end."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from molfound.training.console import EpochReporter
from molfound.training.module import TrainingModule
from molfound.training.recorder import RunRecorder
from molfound.training.run_folder import RunFolder
from molfound.training.summary import print_summary
from molfound.training.train import resume, train
from tests.training.conftest import MakeExperiment


def test_a_training_that_its_watch_ends_is_evaluated_by_nobody_and_goes_on_when_resumed(
    experiment: MakeExperiment,
) -> None:
    told: list[tuple[int, float]] = []

    def watch(epoch: int, figure: float) -> bool:
        told.append((epoch, figure))
        return epoch == 2

    ended = train(experiment(run="ended"), watch=watch)
    assert not ended.scores.exists()
    assert not ended.report.exists()
    whole = train(experiment(run="whole"))
    lines = [json.loads(line) for line in whole.metrics.read_text().splitlines()]
    losses = [line["value"] for line in lines if (line["part"], line["task"], line["name"]) == ("val", None, "loss")]
    assert told == [(1, losses[0]), (2, losses[1])]
    resume(ended.path)
    assert ended.scores.read_bytes() == whole.scores.read_bytes()
    assert ended.metrics.read_bytes() == whole.metrics.read_bytes()


def test_a_second_interrupt_ends_as_an_interrupt_and_not_as_a_defect(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(*_: object) -> None:
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(RunRecorder, "on_train_batch_end", again)
        with pytest.raises(KeyboardInterrupt):
            train(experiment())
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_training_in_a_thread_is_as_any_other(experiment: MakeExperiment) -> None:
    with ThreadPoolExecutor(1) as pool:
        threaded = pool.submit(train, experiment(run="threaded")).result()
    assert threaded.scores.read_bytes() == train(experiment(run="plain")).scores.read_bytes()


def test_what_ends_a_training_early_is_named(experiment: MakeExperiment, capsys: pytest.CaptureFixture[str]) -> None:
    stopping = "training.early_stopping={monitor: val/acid/bce, patience: 1}"
    train(experiment("training.optimizer.lr=1e-30", "training.average=null", stopping))
    assert "stopped early: best val/acid/bce at epoch 1" in capsys.readouterr().err


def test_molecules_per_second_are_those_of_training_alone(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, rates = [0.0], []

    def taking(seconds: float, owner: type, name: str) -> None:
        original = getattr(owner, name)

        def slow(*arguments: Any) -> Any:
            now[0] += seconds
            return original(*arguments)

        monkeypatch.setattr(owner, name, slow)

    monkeypatch.setattr("molfound.training.recorder.time", SimpleNamespace(perf_counter=lambda: now[0]))
    taking(2.0, TrainingModule, "training_step")
    taking(50.0, TrainingModule, "on_validation_start")
    taking(700.0, RunRecorder, "_save")
    monkeypatch.setattr(EpochReporter, "end_epoch", lambda self, epoch, figures, scores, rate, best: rates.append(rate))
    taking(0.5, TrainingModule, "on_before_batch_transfer")
    run = train(experiment("training.epochs=2", "training.checkpoint_steps=2"))
    molecules, batches = 42 + 10, 6  # of `props` all training molecules, of `atoms` half of 21; ten to a batch
    assert rates == pytest.approx([molecules / (2.5 * batches)] * 2, rel=0.05)
    told = [json.loads(line) for line in run.timing.read_text().splitlines()]
    assert [line["epoch"] for line in told] == [1, 2]
    for line in told:
        assert line["molecules"] == pytest.approx(molecules, abs=1)
        assert (line["seconds"], line["waiting"]) == (2.5 * batches, 0.5 * batches)
        assert line["rest"] == pytest.approx(50 + 700 * (batches // 2 + 1), abs=701)


def test_json_of_a_run_without_a_held_out_part_is_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunFolder(tmp_path)
    run.write_json(run.scores, {})
    print_summary(run, as_json=True)
    assert json.loads(capsys.readouterr().out) == {}
    print_summary(run, as_json=False)
    assert capsys.readouterr().out == "no part was held out: nothing to report\n"
