"""`molfound sweep` as a user calls it: a kill and a second call, its output, Ctrl-C, mistakes, no Optuna."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from molfound.cli import main
from molfound.sweep import running
from molfound.training.recorder import RunRecorder
from tests.cli.test_bad_input import Say, assert_user_error, molfound
from tests.training.conftest import write_datasets, write_experiment

__all__ = ["molfound"]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a sweep of a small experiment."""
    monkeypatch.chdir(tmp_path)
    write_datasets(tmp_path)
    write_experiment(tmp_path)
    sweep = {
        "experiment": "tiny.yaml",
        "overrides": ["training.epochs=2", "training.checkpoint_steps=1"],
        "space": {"training.optimizer.lr": {"log_uniform": [1e-4, 1e-2]}, "training.clip": {"choice": [None, 1.0]}},
        "trials": 2,
    }
    (tmp_path / "rates.yaml").write_text(yaml.safe_dump(sweep, sort_keys=False))
    return tmp_path


def test_a_sweep_killed_and_called_again_ends_with_its_best(
    molfound: Say, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RunRecorder.on_train_epoch_end

    def die(self: RunRecorder, *arguments: Any) -> None:
        original(self, *arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(RunRecorder, "on_train_epoch_end", die)
        with pytest.raises(Killed):
            main(["sweep", "rates"])

    status, shown, said = molfound("sweep", "rates")
    assert status == 0, said
    assert "[1/2] trial 0 goes on: training.optimizer.lr=" in said
    assert "[2/2] trial 1 finished, val/loss " in said
    assert "2 of 2 trials, 2 finished" in shown
    assert "best.yaml" in shown
    results = json.loads((folder / "sweeps/rates/results.json").read_text())
    assert [trial["state"] for trial in results["trials"]] == ["finished", "finished"]
    status, as_json, said = molfound("sweep", "rates", "--json")
    assert (json.loads(as_json), said.count("trial 0")) == (results, 0)
    assert_user_error(molfound("sweep", "rates", "training.epochs=3"), "training.epochs differ", "-o")


def test_ctrl_c_says_how_to_go_on(molfound: Say, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "train", interrupted)
    status, _, said = molfound("sweep", "rates", "training.epochs=1", "--trials", "3")
    assert status == 130
    assert said.endswith("interrupted; go on with: molfound sweep rates training.epochs=1 -o sweeps/rates --trials 3\n")


def test_mistakes_are_one_line(molfound: Say, folder: Path) -> None:
    assert_user_error(molfound("sweep", "quickstrat"), "did you mean 'quickstart'")
    assert_user_error(molfound("sweep", "rates", "trainin.epochs=1"), "did you mean 'training.epochs'")
    assert_user_error(molfound("sweep", "tiny.yaml"), "tiny.yaml")
    assert not (folder / "sweeps").exists()


def test_without_optuna_one_line_says_what_to_install(
    molfound: Say, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molfound.cli.sweep.find_spec", lambda name: None)
    assert_user_error(molfound("sweep", "rates"), "pip install 'molfound[sweep]'")
