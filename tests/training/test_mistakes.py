"""A user's mistake is said in a line before anything is lost, and a training that ends early tidies up."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from molfound.errors import MolfoundError
from molfound.training.console import EpochReporter
from molfound.training.run_folder import RunFolder
from molfound.training.train import train
from tests.training.conftest import MakeExperiment


def contents(run: RunFolder) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def test_a_mistake_costs_no_run_that_was_to_be_replaced(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(experiment("training.epochs=1"))
    before = contents(run)
    with pytest.raises(MolfoundError, match=r"more than data\.batch\.nodes=5 allows"):
        train(experiment("data.batch.nodes=5"), overwrite=True)

    def absent(*_: object, **__: object) -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr("molfound.training.train.TensorBoardLogger", absent)
    with pytest.raises(MolfoundError, match="needs TensorBoard"):
        train(experiment("run.tensorboard=true"), overwrite=True)
    assert contents(run) == before


@pytest.mark.parametrize("name", ["file", "file/run", "n" * 300])
def test_a_run_folder_that_cannot_be_is_said_before_anything_is_prepared(
    experiment: MakeExperiment, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(MolfoundError, match=f"cannot write .*{name}"):
        train(experiment(f"run.folder={tmp_path / name}", f"data.store={tmp_path / 'stores'}"))
    assert (tmp_path / "file").read_text() == "kept"
    assert not (tmp_path / "stores").exists()


def test_nothing_of_a_replaced_run_is_left(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for path in (run.model, run.scores, run.last_checkpoint, run.predictions / "a", run.tensorboard / "events"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    run.clear()
    assert not contents(run)


def test_metrics_cannot_be_none_at_all(experiment: MakeExperiment) -> None:
    with pytest.raises(MolfoundError, match=r"tasks\.acid\.metrics"):
        experiment("tasks.acid.metrics=[]")


def test_the_progress_bar_goes_when_a_training_breaks_off(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True)
    monkeypatch.setattr("molfound.training.train.EpochReporter", lambda epochs, _=None: EpochReporter(epochs, console))
    with pytest.raises(MolfoundError, match="is not finite"):
        train(experiment("training.optimizer.lr=1e30", "training.clip=null", "training.schedule.warmup=0.0"))
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert 0 <= written.getvalue().rfind(hide) < written.getvalue().rfind(show)
