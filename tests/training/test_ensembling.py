"""Ensembles: trained, resumed or made of runs, calibrated on what none of their members has learned from."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from scipy.special import expit, logit, softmax
from scipy.stats import spearmanr

import molfound as mf
from molfound.cli import main
from molfound.config import Experiment, load_config, to_yaml
from molfound.errors import MolfoundError
from molfound.model import check_alike, load_specification, save_ensemble
from molfound.sharing import export_run
from molfound.tasks.draws import deviation, mean_output
from molfound.tasks.normalization import Normalizer
from molfound.training.ensembling import ensemble_of_runs, resume_ensemble, seeded, shared_mixture, train_ensemble
from molfound.training.evaluate_run import evaluate_run
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train
from tests.tasks.examples import task_of
from tests.training.conftest import SMILES

SPLIT = "data.datasets.props.split={{kind: random, fractions: [0.3, 0.5, 0.2], seed: {}}}"
CHANGES = ["training.epochs=1", "tasks.logp.loss=gaussian_nll"]
COLUMNS = ["logp.logp", "logp.tpsa", "acid.acid"]
Make = Callable[..., Experiment]


@pytest.fixture(scope="module")
def make(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")

    def experiment(name: str, *overrides: str, split: int = 1) -> Experiment:
        chosen = [f"run.folder={folder / name}", *CHANGES, SPLIT.format(split), *overrides]
        return load_config(data_folder / "tiny.yaml", chosen)

    return experiment


@pytest.fixture(scope="module")
def ensemble(make: Make) -> RunFolder:
    """An ensemble of two whose training was cut after its first member."""
    experiment = make("ensemble")
    folder = experiment.run_folder

    def once(experiment: Experiment) -> RunFolder:
        if experiment.seed > 42:
            raise KeyboardInterrupt
        return train(experiment)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("molfound.training.ensembling.train", once)
        with pytest.raises(KeyboardInterrupt):
            train_ensemble(seeded(experiment, 2), folder)
    first = RunFolder(folder / "members" / "1")
    assert first.report.is_file()
    assert not RunFolder(folder).report.is_file()
    written = first.model.stat().st_mtime_ns
    with pytest.raises(SystemExit) as done:
        main(["train", "--resume", str(folder), "--json"])
    assert done.value.code == 0
    assert first.model.stat().st_mtime_ns == written
    return RunFolder(folder)


def members(ensemble: RunFolder) -> list[Path]:
    return [ensemble.members / "1", ensemble.members / "2"]


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_draws_are_averaged_as_predictions(kind: str) -> None:
    draws = torch.randn(5, 7, 2, 3, generator=torch.Generator().manual_seed(1)) * 6
    finished = {"regression": lambda values: values, "binary": expit, "multiclass": lambda v: softmax(v, -1)}[kind]
    predictions = finished(draws.double().numpy())
    task = task_of(kind, 2)
    np.testing.assert_allclose(finished(mean_output(task, draws).numpy()), predictions.mean(0), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(deviation(task, draws), predictions.std(0), rtol=1e-4, atol=1e-6)


def test_sure_probabilities_keep_their_digits() -> None:
    draws = torch.tensor([[30.0, -30.0], [25.0, -25.0]])[:, None]
    wanted = -logit(expit(np.array([-30.0, -25.0])).mean())
    np.testing.assert_allclose(mean_output(task_of("binary", 2), draws), [[wanted, -wanted]], rtol=1e-5)


def test_units_of_another_normalizer() -> None:
    ours, theirs = Normalizer(torch.tensor([1.0, -2.0]), torch.tensor([2.0, 0.5])), Normalizer.identity(2)
    values = torch.randn(4, 2)
    torch.testing.assert_close(ours.denormalize(ours.taken_over(values, theirs)), values)
    assert torch.equal(ours.taken_over(values, ours), values)


def test_members_differ_in_their_seed_alone(ensemble: RunFolder) -> None:
    first, second = (load_config(path / "config.yaml") for path in members(ensemble))
    assert (first.seed, second.seed) == (42, 43)
    assert second.model_copy(update={"seed": 42, "run": first.run}) == first
    weights = [(path / "model.safetensors").read_bytes() for path in members(ensemble)]
    assert weights[0] != weights[1]


def test_predictions_are_the_mean_of_the_members(ensemble: RunFolder) -> None:
    table = mf.load(ensemble.path).predict([*SMILES[:20], "?"], deviation=True)
    alone = [mf.load(path).predict([*SMILES[:20], "?"], deviation=True) for path in members(ensemble)]
    for column in COLUMNS:
        each = np.stack([one[column] for one in alone])
        np.testing.assert_allclose(table[column], each.mean(0), rtol=1e-5, atol=1e-6)
        own = [one[f"{column}.deviation"] ** 2 for one in alone] if column.startswith("logp") else [0.0]
        expected = np.sqrt(each.var(0) + np.mean(own, axis=0))
        np.testing.assert_allclose(table[f"{column}.deviation"], expected, rtol=1e-3, atol=1e-5)
    cell = np.stack([one["neighbours.neighbours"][3] for one in alone])
    np.testing.assert_allclose(table["neighbours.neighbours"][3], cell.mean(0), rtol=1e-5)
    np.testing.assert_allclose(table["neighbours.neighbours.deviation"][3], cell.std(0), rtol=1e-3, atol=1e-5)
    assert not any(name.endswith(".deviation") for name in mf.load(ensemble.path).predict(["C"]))


def test_an_ensemble_is_calibrated_on_its_own_errors(ensemble: RunFolder) -> None:
    kept = json.loads(ensemble.calibration.read_text())
    mixture = shared_mixture(members(ensemble))
    model = mf.load(ensemble.path)
    rows = mixture.graphs.collection.rows.numpy()[mixture.graphs.positions("val", "props")]
    table = pd.read_parquet(Path(load_config(ensemble.config).data.root) / "props.parquet").iloc[rows]
    off = np.sort(np.abs(model.predict(table.smiles)["logp.logp"] - table.logp))
    rank = int(np.ceil((len(off) + 1) * 0.8 - 1e-9))
    assert kept["intervals"]["logp"]["widths"]["0.8"][0] == pytest.approx(off[rank - 1], rel=1e-4)
    assert "coverage_0.8" in kept["test"]["logp"]
    rows = mixture.graphs.collection.rows.numpy()[mixture.graphs.positions("test", "props")]
    table = pd.read_parquet(Path(load_config(ensemble.config).data.root) / "props.parquet").iloc[rows]
    predicted, z_scores, ranks = model.predict(table.smiles, tasks=["logp"], deviation=True), [], []
    for label in ("logp", "tpsa"):
        there = table[label].notna()
        error, own = (predicted[f"logp.{label}"] - table[label])[there], predicted[f"logp.{label}.deviation"][there]
        z_scores.append(np.sqrt(np.mean((error / own) ** 2)))
        ranks.append(spearmanr(error.abs(), own).statistic)
    assert kept["test"]["logp"]["z_scores"] == pytest.approx(np.mean(z_scores), rel=1e-3)
    assert kept["test"]["logp"]["error_rank"] == pytest.approx(np.mean(ranks), abs=1e-3)
    assert "rank correlation of deviation and error" in ensemble.report.read_text()
    bounds = model.predict(["CCO"], interval=0.8, calibrated=True, deviation=True)
    assert bounds["logp.logp.high"][0] - bounds["logp.logp"][0] == pytest.approx(off[rank - 1], rel=1e-4)
    line, plain = kept["probabilities"]["acid"], model.predict(["CCO"])["acid.acid"][0]
    moved = expit(line["scale"][0] * logit(plain) + line["shift"][0])
    assert bounds["acid.acid"][0] == pytest.approx(moved, abs=1e-5)


def test_an_ensemble_knows_what_is_unlike_its_training(ensemble: RunFolder) -> None:
    graphs = shared_mixture(members(ensemble)).graphs
    smiles = {
        part: [
            text
            for name, (first, last) in graphs.collection.ranges.items()
            for text in np.array(graphs.smiles[name].take(np.arange(last - first)).to_pylist())[
                graphs.positions(part, name) - first
            ]
        ]
        for part in ("train", "val")
    }
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    sets = {
        part: [set(generator.GetFingerprint(Chem.MolFromSmiles(text)).GetOnBits()) for text in texts]
        for part, texts in smiles.items()
    }

    def nearest(bits: set[int]) -> float:
        return max(len(bits & known) / len(bits | known) for known in sets["train"])

    threshold = np.quantile([nearest(bits) for bits in sets["val"]], 0.05)
    given = [smiles["train"][0], "FC(F)(F)S(=O)(=O)CC#CCl", "?", Chem.MolFromSmiles("CC(C)CCO")]
    table = mf.load(ensemble.path).predict(given, applicability=True, tasks=["acid"])
    assert list(table.columns[-3:]) == ["similarity", "applicable", "rejected"]
    for place in (0, 1, 3):
        molecule = given[place] if place == 3 else Chem.MolFromSmiles(given[place])
        expected = nearest(set(generator.GetFingerprint(molecule).GetOnBits()))
        assert table["similarity"][place] == pytest.approx(expected, abs=1e-6)
        assert table["applicable"][place] == (expected >= threshold - 1e-7)
    assert table["similarity"][0] == 1
    assert np.isnan(table["similarity"][2])
    assert table["applicable"][2] is None
    assert "similarity" not in mf.load(ensemble.path).predict(["C"])


def test_scores_are_those_of_the_means(ensemble: RunFolder) -> None:
    kept = pd.read_parquet(ensemble.predictions / "test.logp.parquet")
    kept = kept[kept.label == "logp"]
    scores = json.loads(ensemble.scores.read_text())["test"]["logp"]
    error = np.abs(kept.prediction - kept.target).mean()
    assert scores["mae_original"]["labels"]["logp"] == pytest.approx(error, rel=1e-4)
    tasks, found = evaluate_run(ensemble.path)
    assert found.to_dict(tasks) == json.loads(ensemble.scores.read_text())["test"]
    assert "mean" in json.loads(ensemble.baselines.read_text())["logp"]
    assert ensemble.report.is_file()


def test_what_is_no_ensemble_is_named(ensemble: RunFolder, make: Make, tmp_path: Path) -> None:
    model = mf.load(ensemble.path)
    with pytest.raises(MolfoundError, match="an ensemble has no embedding"):
        model.embed(["C"])
    with pytest.raises(MolfoundError, match="a single model knows no deviation of acid"):
        mf.load(members(ensemble)[0]).predict(["C"], tasks=["acid"], deviation=True)
    with pytest.raises(MolfoundError, match="is an ensemble of models: name one of them"):
        load_specification(ensemble.path)
    with pytest.raises(MolfoundError, match=r"holds a run or an ensemble already: go on with it \(--resume"):
        train_ensemble(seeded(make("ensemble"), 2), ensemble.path)
    with pytest.raises(MolfoundError, match="holds a run already"):
        train(make("ensemble"))
    before = {path: path.read_bytes() for path in ensemble.path.rglob("*") if path.is_file()}
    with pytest.raises(MolfoundError, match="no figure 'val/logp/maee' to monitor"):
        train_ensemble(seeded(make("ensemble", "training.monitor=val/logp/maee"), 2), ensemble.path, overwrite=True)
    assert {path: path.read_bytes() for path in ensemble.path.rglob("*") if path.is_file()} == before
    with pytest.raises(MolfoundError, match="at least two members, not 1"):
        seeded(make("ensemble"), 1)
    listed = tmp_path / "ensemble.json"
    for content, problem in (
        ("[]", "does not list the members"),
        ('{"schema_version": 9, "members": ["a"]}', "update molfound"),
        ('{"schema_version": 1, "members": ["../other"]}', "outside of its folder"),
        ('{"schema_version": 1, "members": ["members/1"]}', "not complete"),
    ):
        listed.write_text(content)
        with pytest.raises(MolfoundError, match=problem):
            mf.load(tmp_path)


def test_runs_are_made_an_ensemble(ensemble: RunFolder, make: Make, tmp_path: Path) -> None:
    """Of a member and of a run on another division of the same table."""
    other = train(make("other", "seed=7", "run.baselines=[]", split=2))
    runs = [members(ensemble)[0], other.path]
    made = ensemble_of_runs(runs, tmp_path / "made")
    divisions = [shared_mixture([path]).graphs for path in runs]
    common = shared_mixture(runs).graphs
    for part in ("val", "test"):
        expected = set(divisions[0].positions(part)) & set(divisions[1].positions(part))
        assert set(common.positions(part)) == expected
    assert not set(common.positions("train")) & set(common.positions("val"))
    means = [mf.load(path).model.normalizers["logp"].mean for path in runs]
    assert not torch.allclose(*means)
    shutil.rmtree(other.path)
    alone = mf.load(made.members / "2").predict(SMILES[:5])
    table = mf.load(made.path).predict(SMILES[:5])
    each = np.stack([mf.load(runs[0]).predict(SMILES[:5])["logp.logp"], alone["logp.logp"]])
    np.testing.assert_allclose(table["logp.logp"], each.mean(0), rtol=1e-4, atol=1e-5)
    with pytest.raises(MolfoundError, match="two runs or more, all of them different"):
        ensemble_of_runs([runs[0], runs[0]], tmp_path / "twice")
    with pytest.raises(MolfoundError, match="name another folder"):
        ensemble_of_runs(members(ensemble), ensemble.path, overwrite=True)
    specification = load_specification(runs[0])
    task = specification.tasks["logp"]
    fewer = specification.model_copy(update={"crop": 9, "tasks": {"logp": task}})
    with pytest.raises(
        MolfoundError, match="a and b cannot be one ensemble: they differ in crops, task 'acid', task 'neighbours'"
    ):
        check_alike({Path("a"): specification, Path("b"): fewer})


def test_divisions_at_random_and_by_scaffold_are_of_one_table(ensemble: RunFolder, make: Make, tmp_path: Path) -> None:
    by_scaffold = "data.datasets.props.split={kind: scaffold, fractions: [0.3, 0.5, 0.2], seed: 1}"
    other = train(make("by scaffold", "run.baselines=[]", by_scaffold))
    made = ensemble_of_runs([members(ensemble)[0], other.path], tmp_path / "made")
    assert len(mf.load(made.path).model.members) == 2


def test_what_is_made_of_runs_is_not_trained_again(ensemble: RunFolder, tmp_path: Path) -> None:
    made = ensemble_of_runs(members(ensemble), tmp_path / "made")
    copies = members(made)
    weights = [(path / "model.safetensors").read_bytes() for path in copies]
    written = [(path / "model.safetensors").stat().st_mtime_ns for path in copies]
    made.report.unlink()  # as where it was cut before its end
    resume_ensemble(made.path)
    assert made.report.is_file()
    assert [(path / "model.safetensors").stat().st_mtime_ns for path in copies] == written
    with pytest.raises(MolfoundError, match="has a model and no checkpoint to go on from"):
        resume(copies[0])
    assert [(path / "model.safetensors").read_bytes() for path in copies] == weights
    (copies[1] / "config.yaml").unlink()
    with pytest.raises(MolfoundError, match=r"was not begun whole.*--overwrite"):
        resume_ensemble(made.path)


def test_an_archive_of_an_exported_run_is_taken(
    ensemble: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = members(ensemble)
    monkeypatch.setenv("MOLFOUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MOLFOUND_DATA", load_config(first / "config.yaml").data.root)
    monkeypatch.chdir(tmp_path)
    export_run(first, Path("given.zip"))
    with pytest.raises(SystemExit) as done:
        main(["ensemble", "given.zip", str(second), "-o", "made", "--json"])
    assert done.value.code == 0
    expected = mf.load(ensemble.path).predict(SMILES[:5])["logp.logp"]
    shutil.rmtree("cache")
    np.testing.assert_allclose(mf.load("made").predict(SMILES[:5])["logp.logp"], expected, rtol=1e-5)


def test_a_member_to_be_trained_does_not_bring_its_code_along(make: Make, tmp_path: Path) -> None:
    given = tmp_path / "given"
    plugin = given / "members" / "1" / "code.py"
    save_ensemble(given, [given / "members" / "1", given / "members" / "2"])
    for number in (1, 2):
        member = RunFolder(given / "members" / str(number))
        member.path.mkdir(parents=True)
        member.config.write_text(to_yaml(make("given", f"plugins=[{plugin}]")))
    plugin.write_text("raise SystemExit('executed')")
    with pytest.raises(MolfoundError, match=r"code\.py, which is not there or is not known to be yours; say --allow-"):
        resume_ensemble(given)


def test_runs_that_do_not_tell_their_data_share_none(ensemble: RunFolder, tmp_path: Path) -> None:
    runs = [shutil.copytree(path, tmp_path / path.name) for path in members(ensemble)]
    for run in runs:
        (run / "data.json").unlink()
    with pytest.raises(MolfoundError, match=r"does not say what data it was trained on: it has no data\.json"):
        ensemble_of_runs(runs, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_an_ensemble_is_not_scored_on_other_labels(ensemble: RunFolder) -> None:
    with pytest.raises(MolfoundError, match="the labels of task 'logp' differ"):
        evaluate_run(ensemble.path, "test", ["tasks.logp.labels=[tpsa, logp]"])
