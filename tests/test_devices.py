"""Which device a model computes on, and that it does."""

from pathlib import Path

import pytest
import torch

import molfound as mf
from molfound.cli import main
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, torch_device
from molfound.training.evaluate_run import evaluate_run
from molfound.training.train import train
from tests.inference.conftest import run as run
from tests.training.conftest import MakeExperiment
from tests.training.conftest import data_folder as data_folder
from tests.training.conftest import experiment as experiment


def machine(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False) -> None:
    """Have torch see so many CUDA devices and an Apple GPU or none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("name", "cuda", "mps", "expected"),
    [
        ("auto", 0, False, "cpu"),
        ("auto", 2, False, "cuda"),
        ("auto", 0, True, "mps"),
        ("gpu", 1, False, "cuda"),
        ("gpu", 0, True, "mps"),
        ("cpu", 1, True, "cpu"),
        ("cuda:1", 2, False, "cuda:1"),
        ("mps", 0, True, "mps"),
    ],
)
def test_a_name_means_a_device_that_is_there(
    monkeypatch: pytest.MonkeyPatch, name: str, cuda: int, mps: bool, expected: str
) -> None:
    machine(monkeypatch, cuda=cuda, mps=mps)
    assert torch_device(name) == torch.device(expected)


@pytest.mark.parametrize(
    ("name", "cuda", "mps"),
    [("gpu", 0, False), ("cuda", 0, True), ("mps", 1, False), ("cuda:1", 1, False), ("gup", 1, True)],
)
def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, name: str, cuda: int, mps: bool) -> None:
    machine(monkeypatch, cuda=cuda, mps=mps)
    with pytest.raises(MolfoundError, match=r"device=(cuda|mps|cuda:1|gpu|gup)[ ,].*try auto"):
        torch_device(name)


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_commands_refuse_a_device_that_is_not_there(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    machine(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        main([verb, str(run), *(["CCO"] if verb == "predict" else []), "--device", "cuda"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: device=cuda, but torch sees no such device here; try auto or cpu\n"


def test_what_follows_a_training_computes_on_its_device(
    experiment: MakeExperiment, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[torch.device] = []
    original = MolecularModel.to

    def to(self: MolecularModel, device: torch.device) -> MolecularModel:
        moved.append(device)
        return original(self, "cpu")

    monkeypatch.setattr(MolecularModel, "to", to)
    done = train(experiment("training.epochs=1", run="trained"))
    assert moved[-1:] == [torch.device("cpu")]
    machine(monkeypatch, cuda=1)
    evaluate_run(done.path)
    evaluate_run(done.path, device="cpu")
    mf.load(run)
    mf.load(run, device="cuda:0")
    assert [str(device) for device in moved[-4:]] == ["cuda", "cpu", "cuda", "cuda:0"]
