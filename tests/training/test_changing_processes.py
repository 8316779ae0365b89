"""Two processes go on where one stopped and the other way round, freeze stages, and skip what is not finite.

Starting processes is what takes time, so the same two train all that the tests need, one experiment after the other.
"""

import os
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from molfound.config import Experiment, load_config
from molfound.errors import MolfoundError
from molfound.training.launch import free_port, launch
from molfound.training.recorder import TrainingInterruptedError
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train
from tests.training.test_processes import NO_CHANCE, assert_near
from tests.training.test_samples import LOGGED, samples, steps_taken

pytestmark = pytest.mark.usefixtures("plugins_forgotten")

COUNT = 2
SHARD = "training.shard=true"
# Of these molecules the second process has the one with row 7.
BROKEN = """
from molfound.nn.encoders import encoders
from molfound.nn.encoders.encoder import Encoder
from molfound.nn.encoders.gnn import GNN
from molfound.nn.readouts import Pool, readouts


@readouts.register("broken_pool")
class BrokenPool(Pool):
    def forward(self, nodes, batch):
        read = super().forward(nodes, batch)
        broken = (batch.rows == 7) if self.training else (batch.rows < 0)
        return read.masked_fill(broken[:, None], float("nan"))


@encoders.register("one_stage")
class OneStage(GNN):
    stages = Encoder.stages
"""
SKIPPED = ("model.readout={name: broken_pool}", "training.nonfinite=skip", "training.epochs=2")
FROZEN = "training.pretrained={run: FOLDER/pretrained, frozen: 2, thaw_epoch: 2, layer_decay: 0.5}"
# What is trained by one process and by two.
CASES: dict[str, tuple[str, ...]] = {
    "frozen": (FROZEN,),
    "frozen shares": (FROZEN, SHARD),
    "all frozen": (FROZEN.replace("frozen: 2, thaw_epoch: 2", "frozen: all"),),
    "all shares frozen": (FROZEN.replace("frozen: 2, thaw_epoch: 2", "frozen: all"), SHARD),
    "one stage": ("model.encoder.name=one_stage", SHARD),
    "skipped": SKIPPED,
    "skipped shares": (*SKIPPED, SHARD),
}


def work(steps: Sequence[tuple[str, Experiment, dict[str, str], int]], folder: Path) -> None:
    """Train or resume one experiment after the other, as a process of some that a launch has started."""
    rank = os.environ["RANK"]
    for name, experiment, environment, port in steps:
        os.environ.update(environment, MASTER_PORT=str(port))
        with (folder / f"{name}.{rank}.told").open("w") as file, redirect_stderr(file):
            try:
                run = RunFolder(experiment.run_folder)
                train(experiment) if not run.config.exists() else resume(run.path, experiment)
            except (MolfoundError, TrainingInterruptedError) as error:
                print(f"{type(error).__name__}: {error}", file=file)
        for key in environment:
            del os.environ[key]


@pytest.fixture(scope="module")
def folder(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all trainings by two processes have been done."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("two")
    (folder / "broken.py").write_text(BROKEN)
    train(chosen(data_folder, folder, "pretrained", "training.epochs=1"))
    stop = {"SAMPLES_STOP": "SIGINT 5 train"}
    logs = {name: folder / f"{name} log" for name in ("whole", "one", "two", "one goes on", "two go on")}
    for log in logs.values():
        log.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SAMPLES_LOG", str(logs["whole"]))
        train(chosen(data_folder, folder, "whole", *LOGGED))
        patched.setenv("SAMPLES_LOG", str(logs["one"]))
        patched.setenv("SAMPLES_STOP", stop["SAMPLES_STOP"])
        with pytest.raises(TrainingInterruptedError):
            train(chosen(data_folder, folder, "one to two", *LOGGED))
    (folder / "first steps").write_text(str(steps_taken(RunFolder(folder / "one to two"))))
    steps = [(name, chosen(data_folder, folder, f"{name} by two", *options), {}) for name, options in CASES.items()]
    steps += [
        ("two to one", chosen(data_folder, folder, "two to one", *LOGGED), {"SAMPLES_LOG": str(logs["two"])} | stop),
        ("one to two", chosen(data_folder, folder, "one to two", *LOGGED), {"SAMPLES_LOG": str(logs["two go on"])}),
        ("shares to one", chosen(data_folder, folder, "shares to one", *LOGGED, SHARD), stop),
        ("refused", chosen(data_folder, folder, "refused", SKIPPED[0]), {}),
    ]
    launch(work, ([(*step, free_port()) for step in steps], folder), COUNT, TrainingInterruptedError)
    return folder


def chosen(data_folder: Path, folder: Path, name: str, *options: str) -> Experiment:
    plugins = () if any(option.startswith("plugins") for option in options) else (f"plugins=[{folder / 'broken.py'}]",)
    options = tuple(option.replace("FOLDER", str(folder)) for option in options)
    overrides = [f"run.folder={folder / name}", "run.baselines=[]", *NO_CHANCE, *plugins, *options]
    return load_config(data_folder / "tiny.yaml", overrides)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_what_one_does(data_folder: Path, folder: Path, name: str) -> None:
    one = train(chosen(data_folder, folder, f"{name} by one", *CASES[name]))
    assert_near(one, RunFolder(folder / f"{name} by two"))


def test_frozen_stages_stay_as_they_were(folder: Path) -> None:
    before = load_file(folder / "pretrained" / "model.safetensors")
    for name in ("all frozen", "all shares frozen"):
        after = load_file(folder / f"{name} by two" / "model.safetensors")
        same = {key: torch.equal(before[key], value) for key, value in after.items()}
        assert all(value for key, value in same.items() if key.startswith("encoder."))
        assert not all(value for key, value in same.items() if key.startswith("heads."))


@pytest.mark.parametrize("name", ["skipped", "skipped shares"])
def test_what_is_not_finite_in_one_process_is_skipped_by_all_and_told_once(folder: Path, name: str) -> None:
    told = [(folder / f"{name}.{rank}.told").read_text() for rank in range(COUNT)]
    assert [text.count("skipped: the loss of") for text in told] == [2, 0]
    assert "Error" not in "".join(told)


def test_what_is_not_finite_in_one_process_stops_all(folder: Path) -> None:
    for rank in range(COUNT):
        told = (folder / f"refused.{rank}.told").read_text().splitlines()[-1]
        assert told.startswith("MolfoundError: the loss of")
        assert "is not finite at epoch 0" in told
    assert not RunFolder(folder / "refused").model.exists()


def test_one_process_goes_on_where_two_stopped(
    data_folder: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, order = RunFolder(folder / "two to one"), samples(folder / "whole log")
    taken, seen = steps_taken(run), samples(folder / "two log")
    assert 0 < taken < len(order)
    assert seen == order[:taken]
    monkeypatch.setenv("SAMPLES_LOG", str(folder / "one goes on log"))
    resume(run.path, chosen(data_folder, folder, "two to one", *LOGGED))
    assert samples(folder / "one goes on log") == order[taken:]
    assert_near(RunFolder(folder / "whole"), run)


def test_two_processes_go_on_where_one_stopped(folder: Path) -> None:
    order, taken = samples(folder / "whole log"), int((folder / "first steps").read_text())
    assert samples(folder / "one log") == order[:taken]
    assert samples(folder / "two go on log") == order[taken:]
    assert_near(RunFolder(folder / "whole"), RunFolder(folder / "one to two"))


def test_one_process_goes_on_where_two_with_shares_stopped(data_folder: Path, folder: Path) -> None:
    run = RunFolder(folder / "shares to one")
    assert 0 < steps_taken(run) < steps_taken(RunFolder(folder / "whole"))
    resume(run.path, chosen(data_folder, folder, "shares to one", *LOGGED))
    assert_near(RunFolder(folder / "whole"), run)
