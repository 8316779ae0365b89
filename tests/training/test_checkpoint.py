"""Checkpoints: what they keep of the random numbers, and how a damaged one is named."""

from pathlib import Path

import pytest
import torch

from molfound.errors import MolfoundError
from molfound.training.checkpoint import (
    Progress,
    load_checkpoint,
    random_states,
    restore_random_states,
    save_checkpoint,
)
from molfound.training.run_folder import RunFolder

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_damaged_checkpoint_is_named_in_one_plain_line(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, Progress(epoch=2), CPU, model={})
    assert load_checkpoint(path)["progress"] == Progress(epoch=2)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MolfoundError, match=r"checkpoint .*last\.pt cannot be read") as raised:
        load_checkpoint(path)
    assert str(raised.value).isprintable()


def test_code_in_a_checkpoint_is_not_executed(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    torch.save({"schema": Path}, path)
    with pytest.raises(MolfoundError, match="cannot be read") as raised:
        load_checkpoint(path)
    assert str(raised.value).isprintable()


def test_random_numbers_go_on_where_they_were() -> None:
    states = random_states(CPU)
    drawn = torch.rand(5)
    restore_random_states(states, CPU)
    assert torch.equal(torch.rand(5), drawn)


def test_only_the_random_numbers_of_the_training_device_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.device] = []
    put: list[tuple[torch.Tensor, torch.device]] = []

    def kept(device: torch.device) -> torch.Tensor:
        asked.append(device)
        return torch.tensor([7])

    def refused(*_: object) -> None:
        raise AssertionError("all GPUs were asked")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", kept)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *state: put.append(state))
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", refused)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", refused)
    on_cpu, on_gpu = random_states(CPU), random_states(GPU)
    assert set(on_cpu) == {"cpu"}
    assert asked == [GPU]
    for states, device in ((on_cpu, CPU), (on_cpu, GPU), (on_gpu, CPU), (on_gpu, GPU)):
        restore_random_states(states, device)
    assert put == [(on_gpu["cuda"], GPU)]


def test_what_no_run_has_left_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "own.csv").write_text("kept")
    (tmp_path / "report.html").write_text("kept")
    RunFolder(tmp_path).clear()
    assert (tmp_path / "predictions" / "own.csv").read_text() == (tmp_path / "report.html").read_text() == "kept"
    RunFolder(tmp_path).config.write_text("name: run")
    RunFolder(tmp_path).clear()
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
