"""`molfound finetune`: a table and a run in, a trained run and files to train again out; mistakes in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import molfound as mf
from molfound.cli import main
from molfound.config import load_config
from molfound.training.train import train
from tests.training.conftest import SMILES, write_datasets, write_experiment

Say = Callable[..., tuple[int, str, str]]
FAST = ("training.epochs=1", "training.accelerator=cpu", "training.threads=1", "data.processes=1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    write_datasets(folder)
    write_experiment(folder)
    return train(load_config(folder / "tiny.yaml", ["training.epochs=1"])).path


@pytest.fixture
def molfound(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """Return a function that runs the command line in a folder of the test: status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def said(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return said


def write_assay(rows: int = len(SMILES), **columns: object) -> None:
    table = pd.DataFrame({"smiles": SMILES[:rows], "y": [len(text) / 7 for text in SMILES[:rows]]})
    table.assign(**columns).to_csv("assay.csv", index=False)


def test_a_table_is_trained_on_in_one_command_and_again_from_its_files(run: Path, molfound: Say) -> None:
    write_assay()
    status, out, err = molfound("finetune", run, "assay.csv", "--label", "y", *FAST, "--json")
    assert status == 0, err
    assert "assay.csv: 60 molecules; y: regression; SMILES in 'smiles'; random split" in err
    told = json.loads(out)
    assert told["run"] == "runs/finetune-assay"
    assert list(told["baselines"]["assay"]) == ["mean", "forest", "probe", "knn"]
    assert "assay.y" in mf.load("runs/finetune-assay").predict("CCO")
    status, _, err = molfound("finetune", run, "assay.csv", "--label", "y", *FAST)
    assert (status, err.count("\n")) == (2, 1)
    assert "holds a fine-tuning already" in err
    status, out, err = molfound("train", "runs/finetune-assay/finetune.yaml", "--overwrite", "--json")
    assert status == 0, err
    assert json.loads(out)["scores"] == told["scores"]


def test_twelve_rows_are_enough_and_a_configuration_works_too(run: Path, molfound: Say, tmp_path: Path) -> None:
    write_assay(12, active=[0, 1, 1] * 4)
    status, out, err = molfound("finetune", run, "assay.csv", "--label", "active", *FAST, "-o", "twelve", "--json")
    assert status == 0, err
    assert json.loads(out)["scores"]["assay"]["bce"] > 0
    status, out, err = molfound("finetune", run, "twelve/finetune.yaml", "seed=3", "-o", "again", "--json")
    assert status == 0, err
    assert json.loads(out)["run"] == "again"
    assert load_config(tmp_path / "again" / "config.yaml").seed == 3
    status, _, err = molfound("finetune", run, "twelve/finetune.yaml", "--label", "y")
    assert (status, err) == (2, "error: --label is for a table; 'twelve/finetune.yaml' is taken for a configuration\n")


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({}, (), "name the column to learn with --label: assay.csv has y"),
        ({}, ("--label", "yy"), "assay.csv has no column 'yy'; did you mean 'y'?"),
        ({}, ("--label", "y", "--smiles", "smile"), "assay.csv has no column 'smile'; did you mean 'smiles'?"),
        ({}, ("--label", "smiles"), "column 'smiles' has the SMILES and cannot be a label"),
        ({}, ("--label", "y", "--kind", "binary"), "a binary label is 0 or 1: choose --kind regression"),
        ({"z": 1}, ("--label", "z"), "label 'z' has one class alone (1): there is nothing to learn from it"),
        ({"z": 3.5}, ("--label", "z"), "label 'z' has the same value everywhere (3.5)"),
        ({"z?": 1}, ("--label", "z?"), "label 'z?' would stand for every column that matches it: rename the column"),
        ({"z": ""}, ("--label", "z"), "label 'z' has no value"),
        (
            {"z": ["1", ">10"] * 30},
            ("--label", "z"),
            "label 'z' has 30 cells that are no number, the first '>10' in data",
        ),
        (
            {"z": [1, 2] + [None] * 58},
            ("--label", "z"),
            "assay.csv has 2 molecules with a label: at least 10 are needed",
        ),
        (
            {},
            ("--label", "y", "--head", "lopg"),
            "has no task 'lopg'; did you mean 'logp'?; it has acid, logp, neighbours",
        ),
        ({}, ("--label", "y", "--head", "logp"), "it predicts 2 labels (logp, tpsa), here 1"),
        ({}, ("--label", "y", "training.epoch=3"), "unknown key 'training.epoch'; did you mean 'training.epochs'?"),
        ({}, ("--label", "y", "model.encoder.depth=5"), "is another: depth is 2, here 5"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(
    run: Path, molfound: Say, columns: dict[str, object], options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    write_assay(**columns)
    status, out, err = molfound("finetune", run, "assay.csv", *options)
    assert (status, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_table_without_a_usual_smiles_column_and_a_run_without_a_model(
    run: Path, molfound: Say, tmp_path: Path
) -> None:
    write_assay()
    pd.read_csv("assay.csv").rename(columns={"smiles": "structure"}).to_csv("other.csv", index=False)
    status, _, err = molfound("finetune", run, "other.csv", "--label", "y")
    assert (status, err.count("\n")) == (2, 1)
    assert "name the SMILES column: --smiles" in err
    (tmp_path / "empty").mkdir()
    status, _, err = molfound("finetune", "empty", "assay.csv", "--label", "y")
    assert (status, err) == (2, "error: empty holds no model to start from: it has no model.json\n")
    status, _, err = molfound("finetune", run, "missing.csv", "--label", "y")
    assert (status, err) == (2, "error: file not found: missing.csv\n")
