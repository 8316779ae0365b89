"""A training does not go on with other data than it was begun with."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from molfound.cli import main
from molfound.config import Experiment, load_config
from molfound.errors import MolfoundError
from molfound.training.train import resume, train
from tests.training.conftest import write_datasets, write_experiment


@pytest.fixture
def own(tmp_path: Path) -> Experiment:
    """An experiment on data of the test's own, the rows of `props` split by a file."""
    write_datasets(tmp_path)
    path = write_experiment(tmp_path)
    content = yaml.safe_load(path.read_text())
    write_split(tmp_path, "val", "test")
    content["data"]["datasets"]["props"]["split"] = {"kind": "file", "file": "split.csv"}
    content["training"]["epochs"] = 1
    path.write_text(yaml.safe_dump(content))
    return load_config(path)


def write_split(folder: Path, *held_out: str) -> None:
    parts = ["train"] * 40 + [held_out[0]] * 10 + [held_out[1]] * 10
    pd.DataFrame({"row": range(60), "part": parts}).to_csv(folder / "split.csv", index=False)


def edit_labels(folder: Path) -> None:
    table = pd.read_parquet(folder / "props.parquet")
    table.loc[7, "logp"] += 1
    table.to_parquet(folder / "props.parquet")


def append_row(folder: Path) -> None:
    table = pd.read_parquet(folder / "atoms.parquet")
    pd.concat([table, table[:1]]).to_parquet(folder / "atoms.parquet")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (edit_labels, "begun: labels/logp of dataset 'props'; train into another folder"),
        (append_row, "begun: graphs of dataset 'atoms', encodings/laplacian of dataset 'atoms', .* more"),
        (lambda folder: write_split(folder, "test", "val"), "begun: split of dataset 'props'; train into"),
    ],
    ids=["an edited label", "a new row", "another split"],
)
def test_changed_data_are_named(own: Experiment, tmp_path: Path, change: Callable[[Path], None], named: str) -> None:
    run = train(own)
    resume(run.path)
    change(tmp_path)
    with pytest.raises(MolfoundError, match=named):
        resume(run.path)


def test_changed_data_are_a_user_s_mistake(own: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(own)
    edit_labels(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["train", "--resume", str(run.path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: the data have changed since {run.path}")
