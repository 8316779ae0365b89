from pathlib import Path

import pytest
from click.testing import CliRunner

import molfound as mf
from molfound.cli import command
from molfound.errors import MolfoundError
from tests.model.published import SMALL, random_state, write_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint.pt", random_state())


def convert(*arguments: object) -> str:
    result = CliRunner().invoke(command, ["convert", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def refusal(*arguments: object) -> str:
    result = CliRunner().invoke(command, ["convert", *map(str, arguments)])
    assert isinstance(result.exception, MolfoundError)
    return str(result.exception)


def test_a_converted_run_is_told_of_and_loads(checkpoint: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "small"
    said = convert(checkpoint, run)
    values = sum(tensor.numel() for tensor in random_state().values()) - SMALL.gaussians
    assert said == f"no published size: 2 blocks, width 12, 3 heads, {values:,} parameters -> {run}\n"
    assert {path.name for path in run.iterdir()} == {"model.json", "model.safetensors"}
    assert mf.load(run, device="cpu").tasks == {}


def test_a_run_is_replaced_only_when_told_to(checkpoint: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "predictions").mkdir(parents=True)
    convert(checkpoint, run)
    assert (run / "predictions").is_dir()
    (run / "config.yaml").write_text("name: other")
    before = {path: path.read_bytes() for path in run.glob("*.*")}
    assert "holds a run already: replace it (--overwrite)" in refusal(checkpoint, run)
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"no checkpoint")
    assert "cannot be read" in refusal(broken, run, "--overwrite")
    assert {path: path.read_bytes() for path in run.glob("*.*")} == before
    convert(write_checkpoint(tmp_path / "other.pt", random_state(seed=1)), run, "--overwrite")
    assert {path.name for path in run.iterdir()} == {"model.json", "model.safetensors"}
    assert (run / "model.safetensors").read_bytes() != before[run / "model.safetensors"]


def test_a_place_that_cannot_be_written_is_named(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert f"cannot write {tmp_path / 'file'}" in refusal(checkpoint, tmp_path / "file")
