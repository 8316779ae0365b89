"""What goes wrong with a user's input ends in one clear line and exit status 2, or in a row of rejected.parquet."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from molfound.cli import main
from tests.training.conftest import SMILES, write_datasets, write_experiment

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def molfound(capsys: pytest.CaptureFixture[str]) -> Say:
    """Return a function that runs the command line in this process: status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dataset of properties in CSV, its manifest and an experiment on it."""
    write_datasets(tmp_path)
    table = pd.read_parquet(tmp_path / "props.parquet").drop(columns="weight")
    write_table(tmp_path, table)
    manifest = yaml.safe_load((tmp_path / "props.yaml").read_text())
    manifest["files"] = [{"name": "props.csv"}]
    del manifest["weight"]
    (tmp_path / "props.yaml").write_text(yaml.safe_dump(manifest))
    path = write_experiment(tmp_path)
    experiment = yaml.safe_load(path.read_text())
    del experiment["data"]["datasets"]["atoms"], experiment["tasks"]["neighbours"]
    experiment["training"]["epochs"] = 1
    path.write_text(yaml.safe_dump(experiment))
    return tmp_path


def read_table(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "props.parquet").drop(columns="weight").astype(object)


def write_table(folder: Path, table: pd.DataFrame) -> None:
    table.to_csv(folder / "props.csv", index=False)


def assert_user_error(result: tuple[int, str, str], *words: str) -> None:
    status, _, err = result
    last = err.strip().splitlines()[-1]
    assert status == 2, err
    assert last.startswith("error: ")
    assert "Traceback" not in err
    for word in words:
        assert word in last


def test_bad_molecules_and_cells_are_rejected_rows(folder: Path, molfound: Say) -> None:
    table = read_table(folder)
    bad = {3: "C1CC", 7: "", 11: "restricted", 19: "C" * 1200}
    for row, smiles in bad.items():
        table.loc[row, "smiles"] = smiles
    table.loc[23, "logp"] = "high"
    table.loc[29, "acid"] = 2
    write_table(folder, table)
    status, _, err = molfound("train", folder / "tiny.yaml", "data.max_rejected=0.2")
    assert status == 0, err
    rejected = pd.read_parquet(folder / "stores" / "props" / "rejected.parquet").set_index("row")
    assert rejected["reason"].to_dict() == {
        3: "invalid_smiles",
        7: "empty_smiles",
        11: "restricted",
        19: "too_many_atoms",
        23: "label_not_a_number",
        29: "label_not_binary",
    }
    assert "'logp': 'high'" in rejected.loc[23, "detail"]
    assert "6 rejected" in err
    assert_user_error(molfound("prepare", folder / "tiny.yaml"), "6 of 60 rows", "data.max_rejected", "row 3 ('C1CC'")


def test_predict_gives_one_row_per_input_row(folder: Path, molfound: Say) -> None:
    assert molfound("train", folder / "tiny.yaml")[0] == 0
    inputs = ["CCO", "", "not a molecule", "restricted", "[Na+].[Cl-]", "C"]
    pd.DataFrame({"id": range(6), "smiles": inputs}).to_csv(folder / "in.csv", index=False)
    for output in ("out.csv", "out.parquet"):
        assert molfound("predict", folder / "run", folder / "in.csv", "-o", folder / output)[0] == 0
        out = (
            pd.read_csv(folder / output, keep_default_na=False)
            if output.endswith("csv")
            else pd.read_parquet(folder / output)
        )
        assert out["smiles"].tolist() == inputs
        reasons = [reason.split(":")[0] for reason in out["rejected"].fillna("")]
        assert reasons == ["", "empty_smiles", "invalid_smiles", "restricted", "", ""]
    assert_user_error(
        molfound("predict", folder / "run", folder / "in.csv", "--smiles", "smile"),
        "no column 'smile'",
        "did you mean 'smiles'",
    )
    assert_user_error(molfound("predict", folder / "run", folder / "missing.csv"), "file not found", "missing.csv")
    assert_user_error(
        molfound("predict", folder / "run", "CCO", "--task", "lopg"), "no task 'lopg'", "did you mean 'logp'"
    )
    (folder / "empty.csv").write_text("")
    assert_user_error(molfound("predict", folder / "run", folder / "empty.csv"), "empty.csv")


def test_a_missing_column_is_named_with_the_nearest(folder: Path, molfound: Say) -> None:
    assert_user_error(
        molfound("train", folder / "tiny.yaml", "tasks.logp.labels=[lopg]"), "'lopg'", "did you mean 'logp'"
    )
    write_table(folder, read_table(folder).rename(columns={"smiles": "SMILES"}))
    assert_user_error(molfound("train", folder / "tiny.yaml"), "'smiles'", "SMILES")


def test_an_unknown_key_is_named_with_the_nearest(folder: Path, molfound: Say) -> None:
    assert_user_error(molfound("train", folder / "tiny.yaml", "trainig.epochs=3"), "trainig", "training")
    assert_user_error(molfound("train", folder / "tiny.yaml", "model.encoder.layr=gin"), "layr", "did you mean 'layer'")
    assert_user_error(
        molfound("train", folder / "tiny.yaml", "tasks.logp.head.hiden=[4]"), "hiden", "did you mean 'hidden'"
    )
    assert not (folder / "run").exists()


def test_an_option_without_an_effect_is_refused(folder: Path, molfound: Say) -> None:
    assert_user_error(molfound("predict", "toymix-gine", "CCO", "--smiles", "nonsense"), "no column 'nonsense'")
    assert_user_error(
        molfound("train", folder / "tiny.yaml", "--allow-plugins"), "--allow-plugins is for a run's copies of plugins"
    )
    assert not (folder / "run").exists()
    write_table(folder, read_table(folder))
    before = (folder / "props.csv").read_bytes()
    for verb in ("predict", "embed"):
        assert_user_error(
            molfound(verb, "toymix-gine", folder / "props.csv", "-o", folder / "props.csv"), "read from it"
        )
    assert_user_error(
        molfound("export", "toymix-gine", "-o", folder / "props.csv", "--overwrite"), "props.csv is not replaced"
    )
    assert (folder / "props.csv").read_bytes() == before


def test_a_place_that_cannot_be_read_or_written_is_named(folder: Path, molfound: Say) -> None:
    (folder / "file").touch()
    assert_user_error(
        molfound("prepare", folder / "tiny.yaml", f"data.store={folder / 'file'}"), f"cannot write {folder / 'file'}"
    )
    assert_user_error(molfound("export", "toymix-gine", "-o", "/proc/model"), "cannot write /proc/model")
    assert_user_error(molfound("config", "show", "x" * 5000), "File name too long")
    assert_user_error(molfound("data", "describe", "x" * 5000), "File name too long")


def test_an_unknown_configuration_is_named_with_the_nearest(molfound: Say) -> None:
    assert_user_error(molfound("train", "toymix/gien"), "toymix/gien", "toymix/gin")


def test_a_missing_file_is_named_with_its_places(folder: Path, molfound: Say) -> None:
    (folder / "props.csv").unlink()
    assert_user_error(molfound("train", folder / "tiny.yaml"), "'props.csv'", str(folder))


@pytest.mark.parametrize("content", ["", "smiles,logp,tpsa,acid\n"], ids=["empty", "header only"])
def test_an_empty_file_is_named(folder: Path, molfound: Say, content: str) -> None:
    (folder / "props.csv").write_text(content)
    assert_user_error(molfound("train", folder / "tiny.yaml"), "props.csv")


def test_a_label_that_is_all_missing_is_said_and_a_task_of_such_refused(folder: Path, molfound: Say) -> None:
    table = read_table(folder)
    table["tpsa"] = None
    write_table(folder, table)
    status, _, err = molfound("train", folder / "tiny.yaml")
    assert status == 0, err
    assert "task 'logp': 1 of 2 labels have no training value: tpsa" in err
    table["logp"] = None
    write_table(folder, table)
    assert_user_error(
        molfound("train", folder / "tiny.yaml", "--overwrite"), "task 'logp' has no label in the training part"
    )


def test_a_part_with_one_class_is_undefined_not_an_error(folder: Path, molfound: Say) -> None:
    table = read_table(folder)
    parts = ["train"] * 40 + ["val"] * 10 + ["test"] * 10
    table["part"] = parts
    table.loc[50:, "acid"] = 0.0
    write_table(folder, table)
    split = "data.datasets.props.split={kind: column, column: part}"
    status, out, err = molfound("train", folder / "tiny.yaml", split)
    assert status == 0, err
    status, out, _ = molfound("evaluate", folder / "run", "--json")
    assert status == 0
    scores = yaml.safe_load(out)
    assert scores["acid"]["auroc"] is None
    assert scores["acid"]["bce"] > 0


def test_an_unknown_part_is_named(folder: Path, molfound: Say) -> None:
    assert molfound("train", folder / "tiny.yaml")[0] == 0
    assert_user_error(molfound("evaluate", folder / "run", "--split", "tset"), "no part 'tset'", "did you mean 'test'")


def test_a_truncated_shard_is_rebuilt_and_said(folder: Path, molfound: Say) -> None:
    assert molfound("prepare", folder / "tiny.yaml")[0] == 0
    shard = next((folder / "stores" / "props").glob("graphs-*/*.arrow"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    status, _, err = molfound("train", folder / "tiny.yaml")
    assert status == 0
    assert "damaged" in err
    assert shard.read_bytes() == whole


def test_a_store_of_other_content_is_not_read(folder: Path, molfound: Say) -> None:
    assert molfound("train", folder / "tiny.yaml")[0] == 0
    first = yaml.safe_load(molfound("evaluate", folder / "run", "--json")[1])
    table = read_table(folder)
    table["logp"] = table["logp"] + 100
    write_table(folder, table)
    second = yaml.safe_load(molfound("evaluate", folder / "run", "--json")[1])
    assert second["logp"]["mae"] > first["logp"]["mae"] + 10


def test_a_run_folder_without_a_run_is_named(folder: Path, molfound: Say) -> None:
    assert_user_error(molfound("evaluate", folder), "not a run folder")
    assert_user_error(molfound("predict", folder, "CCO"), "holds no model")
    assert_user_error(molfound("train", "--resume", folder / "nowhere"), "not a run folder")


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(folder: Path) -> None:
    command = [sys.executable, "-m", "molfound", "train", str(folder / "tiny.yaml"), "training.epochs=100000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                process.send_signal(signal.SIGINT)
                break
        err = process.stderr.read()
        assert process.wait(timeout=60) == 130, err
    finally:
        process.kill()
    assert f"go on with: molfound train --resume {folder / 'run'}" in err
    assert "Traceback" not in err
    resumed = [*command[:3], "train", "--resume", str(folder / "run")]
    second = subprocess.Popen(resumed, stderr=subprocess.PIPE, text=True)
    try:
        assert second.stderr is not None
        going_on = next(line for line in second.stderr if line.startswith("going on at epoch"))
        assert int(going_on.split()[4].rstrip(",")) >= 2
    finally:
        second.send_signal(signal.SIGKILL)
        second.wait()


def test_the_datasets_of_the_tests_are_valid() -> None:
    assert len(set(SMILES)) == len(SMILES)
