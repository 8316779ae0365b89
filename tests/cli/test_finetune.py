"""`molfound finetune`: a table and a run in, a trained run and files to train again out; mistakes in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_absolute_error

import molfound as mf
from molfound.cli import main
from molfound.config import Experiment, load_config
from molfound.config.schema import FoldSplit
from molfound.data.splits import make_split
from molfound.errors import MolfoundError
from molfound.training.cross_validation import fold_figures
from molfound.training.recorder import TrainingInterruptedError
from molfound.training.run_folder import RunFolder
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
    file = Path("runs/finetune-assay/finetune.yaml")
    kept = file.read_bytes()
    status, _, err = molfound("finetune", run, "assay.csv", "--label", "y", "--overwrite", "training.epoch=1")
    assert status == 2
    assert file.read_bytes() == kept
    status, _, err = molfound("finetune", run, "assay.csv", "--label", "y", "--overwrite", "training.monitor=val/y/mae")
    assert (status, "no figure 'val/y/mae' to monitor" in err) == (2, True)
    assert file.read_bytes() == kept
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
    status, _, err = molfound("finetune", run, "twelve/finetune.yaml", "--folds", "0")
    assert (status, err) == (2, "error: --folds is for a table; 'twelve/finetune.yaml' is taken for a configuration\n")


def test_too_few_folds_are_told(run: Path, molfound: Say) -> None:
    write_assay()
    status, _, err = molfound("finetune", run, "assay.csv", "--label", "y", "--folds", "0", "-o", "folds")
    assert (status, err.count("\n")) == (2, 1)
    assert "split.folds: should be greater than or equal to 3, not 0" in err


def test_folds_are_scored_where_they_were_not_learned_from_and_predict_together(
    run: Path, molfound: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_assay()
    with monkeypatch.context() as patched:
        patched.setattr("molfound.training.ensembling.train", interrupted_after(1))
        status, _, err = molfound("finetune", run, "assay.csv", "--label", "y", "--folds", "3", *FAST, "-o", "folds")
    assert status == 130, err
    assert "random split into 3 folds" in err
    status, _, err = molfound("finetune", run, "assay.csv", "--label", "y", "--folds", "3", *FAST, "-o", "folds")
    assert status == 2
    assert "go on with its members (molfound train --resume folds)" in err
    first = (tmp_path / "folds/members/1/model.safetensors").stat().st_mtime_ns
    status, out, err = molfound("train", "--resume", "folds", "--json")
    assert status == 0, err
    assert (tmp_path / "folds/members/1/model.safetensors").stat().st_mtime_ns == first

    told = json.loads(out)
    folds = told["folds"]
    assert folds == json.loads(Path("folds/folds.json").read_text())
    labels, tests = pd.read_csv("assay.csv")["y"].to_numpy(), []
    for fold in range(3):
        member = Path(f"folds/members/{fold + 1}")
        predictions = pd.read_parquet(member / "predictions/test.assay.parquet")
        tests.append(predictions)
        error = mean_absolute_error(labels[predictions["row"]], predictions["prediction"])
        assert folds["scores"]["assay"]["mae_original"]["folds"][fold] == pytest.approx(error, rel=1e-5)
        split = make_split(FoldSplit(kind="folds", folds=3, fold=fold + 1), len(labels))
        np.testing.assert_array_equal(np.sort(predictions["row"]), split["test"])
        dummy = DummyRegressor().fit(split["train"][:, None], labels[split["train"]])
        error = mean_absolute_error(labels[split["test"]], dummy.predict(split["test"][:, None]))
        assert folds["baselines"]["assay"]["mean"]["mae_original"]["folds"][fold] == pytest.approx(error, rel=1e-5)
    assert list(folds["baselines"]["assay"]) == ["mean", "forest", "probe", "knn"]
    for figure in (folds["scores"]["assay"]["rmse"], folds["baselines"]["assay"]["probe"]["rmse"]):
        assert figure["mean"] == pytest.approx(np.mean(figure["folds"]))
        assert figure["deviation"] == pytest.approx(np.std(figure["folds"], ddof=1))

    # Each molecule is predicted once by who has not learned from it; those who predict a new one are all members.
    together = pd.concat(tests).sort_values("row")
    kept = pd.read_parquet("folds/predictions/test.assay.parquet")
    np.testing.assert_array_equal(kept["row"], np.arange(len(labels)))
    np.testing.assert_array_equal(kept["prediction"], together["prediction"])
    assert told["scores"]["assay"]["mae_original"] == pytest.approx(
        mean_absolute_error(labels, together["prediction"]), rel=1e-5
    )
    members = [mf.load(f"folds/members/{number}").predict("CCO")["assay.y"][0] for number in (1, 2, 3)]
    assert mf.load("folds").predict("CCO")["assay.y"][0] == pytest.approx(np.mean(members), rel=1e-5)
    assert "assay" in Path("folds/report.html").read_text()
    # Half of the molecules, and one of n + 1, are at most as far from what was said of them as an interval is wide.
    errors = np.sort(np.abs(labels - together["prediction"]))
    bounds = mf.load("folds").predict("CCO", interval=0.5)
    rank = int(np.ceil((len(labels) + 1) * 0.5))
    assert bounds["assay.y.high"][0] - bounds["assay.y"][0] == pytest.approx(errors[rank - 1], rel=1e-4)


def interrupted_after(count: int) -> Callable[..., RunFolder]:
    """Return what trains so many experiments and then acts as if the user had stopped it."""
    left = [count]

    def some(experiment: Experiment, **options: bool) -> RunFolder:
        if left[0] == 0:
            raise TrainingInterruptedError("the beginning")
        left[0] -= 1
        return train(experiment, **options)

    return some


def test_members_differ_in_their_seed(run: Path, molfound: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    write_assay()
    asked: list[tuple[list[Experiment], Path]] = []

    def ensemble(experiments: list[Experiment], folder: Path, **_: bool) -> RunFolder:
        asked.append((experiments, folder))
        raise MolfoundError("enough seen")

    monkeypatch.setattr("molfound.training.ensembling.train_ensemble", ensemble)
    molfound("finetune", run, "assay.csv", "--label", "y", "--members", "3", *FAST, "-o", "several", "seed=7")
    ((experiments, folder),) = asked
    assert [experiment.seed for experiment in experiments] == [7, 8, 9]
    assert folder == Path("several")
    assert len({experiment.data.model_dump_json() for experiment in experiments}) == 1


def test_a_metric_that_a_fold_lacks_is_left_out_of_the_mean(tmp_path: Path) -> None:
    runs = []
    for number, auroc in enumerate((0.5, None, 0.9)):
        runs.append(RunFolder(tmp_path / str(number)))
        score = {"mean": auroc, "labels": {"y": auroc}, "used": {"y": 4}, "undefined": int(auroc is None)}
        runs[-1].write_json(runs[-1].scores, {"test": {"assay": {"auroc": score}}})
    (spread,) = fold_figures(runs)["scores"]["assay"].values()
    assert spread == {"mean": 0.7, "deviation": pytest.approx(0.4 / 2**0.5), "folds": [0.5, None, 0.9]}


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
        ({}, ("--label", "y", "--folds", "3", "--members", "3"), "--members several on one split: choose one"),
        ({}, ("--label", "y", "--folds", "2"), "data.datasets.assay.split.folds"),
        ({}, ("--label", "y", "--folds", "61", *FAST), "61 folds need as many rows, and there are 60"),
        (
            {},
            ("--label", "y", "--folds", "5", "--split", "scaffold", *FAST),
            "5 folds of scaffolds need as many scaffolds",
        ),
        (
            {},
            ("--label", "y", "--folds", "3", "data.datasets.assay.split=random"),
            "a cross-validation divides all of its datasets into one number of folds",
        ),
        (
            {"z": [1] + [0] * 59},
            ("--label", "z", "--folds", "3", *FAST),
            "in the training part of fold 2: leave it out, or draw another split (data.datasets.assay.split.seed=1)",
        ),
        ({}, ("--label", "y", "--members", "1"), "an ensemble has at least two members, not 1"),
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
