"""Sweeps that train: killed and called again, pruned, failing, out of memory; and what their folder tells."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from optuna import Study as OptunaStudy
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial

from molfound.config import load_config
from molfound.errors import MolfoundError
from molfound.sweep import running
from molfound.sweep.results import collect, write_results
from molfound.sweep.running import run_trials
from molfound.sweep.study import Study, pruners
from molfound.sweep.sweep_file import load_sweep
from molfound.training.recorder import RunRecorder
from molfound.training.run_folder import RunFolder
from tests.sweep.conftest import WriteSweep

EVERY_STEP = ["training.epochs=2", "data.batch.size=20", "training.checkpoint_steps=1"]


class Killed(BaseException):
    """Stands for the end of the process."""


class Impatient(BasePruner):
    def prune(self, study: OptunaStudy, trial: FrozenTrial) -> bool:
        return trial.number == 1


@pytest.fixture
def impatient() -> Iterator[str]:
    """The name of a pruner that stops trial 1 after its first epoch."""
    pruners.register("impatient")(Impatient)
    yield "impatient"
    del pruners._components["impatient"]


def run(path: Path, folder: Path, **options: Any) -> tuple[Study, list[str]]:
    loaded = load_sweep(path, **options)
    study, said = Study(folder, loaded), []
    run_trials(loaded, study, say=said.append, after_each=lambda: write_results(loaded, collect(loaded, study), folder))
    return study, said


def test_a_sweep_killed_in_a_trial_ends_with_the_same_trials_and_files(
    write_sweep: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: str
) -> None:
    path = write_sweep(overrides=EVERY_STEP, pruner=impatient)
    whole, _ = run(path, tmp_path / "whole")
    original, seen = RunRecorder.on_train_batch_end, 0

    def die(self: RunRecorder, *arguments: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == 5:  # in the second epoch of the first trial
            raise Killed
        original(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(RunRecorder, "on_train_batch_end", die)
        with pytest.raises(Killed):
            run(path, tmp_path / "killed")
    assert [trial.state for trial in Study(tmp_path / "killed", load_sweep(path)).trials()] == ["running"]
    study, said = run(path, tmp_path / "killed")
    assert "trial 0 goes on" in said[0]
    assert study.trials() == whole.trials()
    assert [trial.state for trial in study.trials()] == ["finished", "pruned", "finished"]
    for name in ("results.json", "table.md", "report.html", "best.yaml"):
        assert (tmp_path / "killed" / name).read_text() == (tmp_path / "whole" / name).read_text()
    assert run(path, tmp_path / "killed")[1] == []

    pruned, finished = (RunFolder(tmp_path / f"whole/trials/000{number}") for number in (1, 2))
    assert list(study.trials()[1].course) == [1]
    assert not pruned.scores.exists()
    assert not pruned.report.exists()
    assert pruned.has_progress
    # The value is that of the weights that the run has kept, on the validation part.
    losses = [json.loads(line) for line in finished.metrics.read_text().splitlines()]
    course = [line["value"] for line in losses if (line["part"], line["task"], line["name"]) == ("val", None, "loss")]
    assert list(study.trials()[2].course.values()) == course
    assert study.trials()[2].value("min") == min(course)

    results = json.loads((tmp_path / "whole/results.json").read_text())
    best = min((t for t in results["trials"] if t["state"] == "finished"), key=lambda trial: trial["value"])
    assert results["best"] == best["trial"]
    experiment = load_config(tmp_path / "whole/best.yaml")
    assert experiment.training.optimizer.lr == best["values"]["training.optimizer.lr"]
    assert experiment.model.encoder.options["layer"] == best["values"]["model.encoder.layer"]
    assert (experiment.name, experiment.run_folder) == ("small-best", Path("runs/small-best"))
    assert experiment.run.baselines == load_config(tmp_path / "tiny.yaml").run.baselines
    assert len(run(path, tmp_path / "whole", trials=4)[0].trials()) == 4


def failing(monkeypatch: pytest.MonkeyPatch, *errors: BaseException | None) -> None:
    """Let trainings fail in turn, or end well after an epoch."""
    waiting = iter(errors)

    def train(experiment: Any, *, watch: Any) -> None:
        watch(1, 0.5)
        error = next(waiting)
        if error is not None:
            raise error

    monkeypatch.setattr(running, "train", train)


def test_a_trial_that_fails_is_told_and_the_others_are_trained(
    write_sweep: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(
        monkeypatch,
        MolfoundError("the loss is not finite"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
        None,
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        None,
    )
    study, said = run(write_sweep(trials=5), tmp_path / "out")
    assert [trial.state for trial in study.trials()] == ["failed", "failed", "finished", "failed", "finished"]
    reasons = [trial.reason for trial in study.trials()]
    assert reasons[0] == "the loss is not finite"
    assert str(reasons[1]).startswith("out of memory: CUDA")
    assert str(reasons[3]).startswith("out of memory: [enforce")
    assert "[1/5] trial 0 failed: the loss is not finite" in said
    assert "- trial 0 failed: the loss is not finite" in (tmp_path / "out/table.md").read_text()


def test_a_sweep_of_failures_alone_ends(
    write_sweep: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, *[MolfoundError("no such luck")] * 3)
    with pytest.raises(MolfoundError, match="all 3 trials have failed, the last one: no such luck"):
        run(write_sweep(trials=5), tmp_path / "out")
    assert not (tmp_path / "out/best.yaml").exists()


def test_a_defect_of_ours_is_not_a_trial_that_fails(
    write_sweep: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1"):
        run(write_sweep(), tmp_path / "out")


def test_after_its_hours_no_trial_is_begun(
    write_sweep: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, None, None)
    clock = iter([0.0, 1000.0, 3000.0, 3600.0])
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    study, said = run(write_sweep(hours=1.0, trials=5), tmp_path / "out")
    assert len(study.trials()) == 2
    assert said[-1] == "no trial is begun after 1 hours: 2 of 5 are done"
