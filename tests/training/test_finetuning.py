"""Fine-tuning: what starts from a run starts from its very weights, and the frozen baselines are scikit-learn's."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

import molfound as mf
from molfound.config import Experiment, load_config
from molfound.config.component import Component
from molfound.config.documents import read_mapping
from molfound.config.schema import PretrainedConfig
from molfound.data.collection import GraphCollection
from molfound.data.splits import random_split
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, load_specification
from molfound.training.assay import read_assay
from molfound.training.evaluate_run import evaluate_run
from molfound.training.finetuning import (
    EXPERIMENT_FILE,
    FineTuning,
    network_of,
    new_folder,
    training_defaults,
)
from molfound.training.finetuning_check import check_fine_tuning
from molfound.training.frozen_baselines import (
    NEIGHBOURS,
    PENALTIES,
    EmbeddedMolecules,
    frozen_predictions,
)
from molfound.training.pretrained import freeze, learning_rate_shares, start_from
from molfound.training.run_folder import RunFolder
from molfound.training.train import train
from tests.training.conftest import SMILES, MakeExperiment

CPU = ("training.accelerator=cpu", "training.threads=1", "data.processes=1")
NO_STEP = (*CPU, "training.epochs=1", "training.optimizer.lr=1e-30", "training.average=null")


@pytest.fixture(scope="module")
def pretrained(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("pretrained") / "run"
    return train(load_config(data_folder / "tiny.yaml", [f"run.folder={folder}", "training.epochs=2"])).path


@pytest.fixture
def table(data_folder: Path, tmp_path: Path) -> Path:
    labels = pd.read_parquet(data_folder / "props.parquet").drop(columns="weight")
    path = tmp_path / "assay.csv"
    labels.rename(columns={"smiles": "SMILES"}).to_csv(path, index=False)
    return path


def tuned(
    pretrained: Path, table: Path, labels: list[str], *overrides: str, head: str | None = None, folder: str = "tuned"
) -> Experiment:
    assay = read_assay(table, None, labels)
    return FineTuning(pretrained, head).of_assay(assay, "random", table.parent / folder, overrides)


def parts(rows: int = len(SMILES)) -> dict[str, np.ndarray]:
    return random_split(rows, (0.6, 0.2, 0.2), 42)


def test_a_table_becomes_an_experiment_with_the_runs_network(pretrained: Path, table: Path) -> None:
    experiment = tuned(pretrained, table, ["logp", "tpsa"], *CPU, "training.epochs=2")
    before = load_config(pretrained / "config.yaml")
    assert experiment.features == before.features
    assert experiment.encodings == before.encodings
    assert experiment.model == before.model
    assert experiment.training.epochs == 2
    # The file alone says the same, overrides included, and what it trains embeds and predicts.
    file = experiment.run_folder / EXPERIMENT_FILE
    assert load_config(file) == experiment
    assert "training" in read_mapping(file)
    run = train(load_config(file))
    scores = json.loads(run.scores.read_text())
    assert set(scores["test"]) == {"assay"}
    assert list(json.loads(run.baselines.read_text())["assay"]) == ["mean", "forest", "probe", "knn"]
    assert "probe (test)" in run.report.read_text()
    assert list(mf.load(run.path).predict("CCO").columns) == ["smiles", "assay.logp", "assay.tpsa", "rejected"]


def test_a_configuration_gets_the_runs_network_and_keeps_the_rest(
    pretrained: Path, data_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        f"extends: {data_folder / 'tiny.yaml'}\n"
        "encodings: {laplacian: null}\n"
        "features: {atoms: [atomic_number]}\n"
        "model: {encoder: {name: gnn, depth: 7}}\n"
        "tasks: {acid: null, neighbours: null}\n"
        "training: {epochs: 1, pretrained: {run: nowhere, frozen: all}}\n"
    )
    experiment = FineTuning(pretrained).of_configuration(str(path), ["seed=7"], tmp_path / "tuned")
    before = load_config(pretrained / "config.yaml")
    assert (experiment.features, experiment.encodings, experiment.model) == (
        before.features,
        before.encodings,
        before.model,
    )
    assert experiment.training.pretrained is not None
    assert (experiment.training.pretrained.run, experiment.training.pretrained.frozen) == (str(pretrained), "all")
    assert (experiment.seed, experiment.run_folder) == (7, tmp_path / "tuned")
    assert experiment.run.baselines == ("mean", "forest", "probe", "knn")
    train(experiment)
    encoder = {
        name: tensor for name, tensor in load_file(pretrained / "model.safetensors").items() if "encoder." in name
    }
    after = load_file(tmp_path / "tuned" / "model.safetensors")
    assert all(torch.equal(after[name], tensor) for name, tensor in encoder.items())


def test_before_its_first_step_a_fine_tuning_embeds_as_its_run_does(pretrained: Path, table: Path) -> None:
    run = train(tuned(pretrained, table, ["logp"], *NO_STEP))
    before, after = (mf.load(folder).embed(SMILES).filter(regex=r"^e\d") for folder in (pretrained, run.path))
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)


def test_a_head_of_the_run_predicts_as_the_run_does(pretrained: Path, table: Path) -> None:
    experiment = tuned(pretrained, table, ["tpsa", "logp"], *NO_STEP)
    plain = mf.load(train(experiment).path).predict(SMILES).filter(like="assay.")
    taken = mf.load(train(tuned(pretrained, table, ["logp", "tpsa"], *NO_STEP, head="logp", folder="taken")).path)
    before = mf.load(pretrained).predict(SMILES, tasks=["logp"])
    for label in ("logp", "tpsa"):
        np.testing.assert_allclose(
            taken.predict(SMILES)[f"assay.{label}"], before[f"logp.{label}"], rtol=1e-5, atol=1e-5
        )
        assert not np.allclose(plain[f"assay.{label}"], before[f"logp.{label}"], rtol=1e-2)


def test_the_metrics_of_baselines_are_in_the_units_of_the_head_taken_over(pretrained: Path, table: Path) -> None:
    run = train(tuned(pretrained, table, ["logp", "tpsa"], *NO_STEP, head="logp"))
    labels, split = pd.read_csv(table)[["logp", "tpsa"]].to_numpy(), parts()
    deviation = mf.load(pretrained).model.normalizers["logp"].deviation.numpy()
    errors = np.abs(labels[split["test"]] - np.nanmean(labels[split["train"]], 0))
    baselines = json.loads(run.baselines.read_text())["assay"]
    assert baselines["mean"]["mae"] == pytest.approx(np.mean(np.nanmean(errors, 0) / deviation), rel=1e-5)
    assert baselines["mean"]["mae_original"] == pytest.approx(np.nanmean(errors, 0).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("labels", "head", "overrides", "message"),
    [
        (["logp"], "logpp", (), "has no task 'logpp'; did you mean 'logp'"),
        (["logp"], "logp", (), r"it predicts 2 labels \(logp, tpsa\), here 1"),
        (["tpsa", "logp"], "logp", (), "its labels come in the order logp, tpsa"),
        (["acid"], "logp", (), "kind is regression, here binary"),
        (["logp", "tpsa"], "neighbours", (), "level is node, here graph"),
        (["acid"], "acid", ("tasks.assay.head=mlp",), "its head is {'name': 'linear'}, here {'name': 'mlp'"),
        (["acid"], "acid", ("model.readout.pooling=[mean]",), "its readout is"),
        (
            ["acid"],
            "acid",
            ("training.pretrained.layers=1", "model.encoder.depth=1"),
            "has been trained on all blocks of the run and no other",
        ),
    ],
)
def test_a_head_that_does_not_fit_is_refused_before_anything_is_prepared(
    pretrained: Path, table: Path, labels: list[str], head: str, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(MolfoundError, match=message):
        train(tuned(pretrained, table, labels, *overrides, head=head))
    assert not (table.parent / "tuned" / "stores").exists()


def test_a_refused_fine_tuning_leaves_no_folder(pretrained: Path, table: Path) -> None:
    with pytest.raises(MolfoundError, match="epoch"):
        tuned(pretrained, table, ["logp"], "training.epoch=3", folder="new/tuned")
    assert not (table.parent / "new").exists()


def test_a_head_that_predicts_a_variance_brings_its_loss_along(pretrained: Path, table: Path) -> None:
    run = shutil.copytree(pretrained, table.parent / "deviating")
    content = json.loads((run / "model.json").read_text())
    content["tasks"]["logp"]["loss"] = {"name": "gaussian_nll", "beta": 0.5}
    (run / "model.json").write_text(json.dumps(content))
    loss = tuned(run, table, ["logp", "tpsa"], head="logp").tasks["assay"].loss
    assert (loss.name, loss.options) == ("gaussian_nll", {"beta": 0.5})
    chosen = tuned(run, table, ["logp", "tpsa"], "tasks.assay.loss=mse", head="logp").tasks["assay"].loss
    assert chosen.name == "mse"


def test_layers_are_dropped_from_the_end(pretrained: Path, table: Path) -> None:
    shallow = ("training.pretrained.layers=1", "model.encoder.depth=1")
    run = train(tuned(pretrained, table, ["logp"], *NO_STEP, *shallow))
    model, before = mf.load(run.path), mf.load(pretrained)
    assert model.layers == ["inputs", "block_1"]
    embedded = [each.embed(SMILES, layer="block_1", readout="mean").filter(regex=r"^e\d") for each in (model, before)]
    np.testing.assert_allclose(*embedded, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model.encoder.depth=1",), "depth is 2, here 1; training.pretrained.layers says how many of its blocks"),
        (("training.pretrained.layers=3",), r"layers is 3, and the encoder of .* has 2 blocks"),
        (("training.pretrained.layers=2", "model.encoder.depth=1"), r"layers is 2, and model\.encoder\.depth less: 1"),
        (("training.pretrained.frozen=4",), "frozen is 4, and the encoder of .* has 3 stages, the inputs and 2 blocks"),
        (
            ("training.pretrained={layers: 1, frozen: 3}",),
            r"frozen is 3, and 2 stages come from .*: the inputs and 1 bl",
        ),
    ],
)
def test_layers_that_are_not_there_are_named(
    pretrained: Path, table: Path, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(MolfoundError, match=message):
        train(tuned(pretrained, table, ["logp"], *overrides))


def deeper(pretrained: Path, depth: int, config: PretrainedConfig) -> MolecularModel:
    """Return the run's network with another number of blocks, started from the run."""
    specification = load_specification(pretrained)
    encoder = Component("gnn", {**specification.model.encoder.options, "depth": depth})
    torch.manual_seed(1)
    network = specification.model.model_copy(update={"encoder": encoder})
    model = MolecularModel(specification.model_copy(update={"model": network}))
    start_from(model, config)
    return model


@pytest.mark.parametrize(("layers", "depth"), [(2, 4), (1, 2)])
def test_added_layers_hardly_change_what_the_layers_taken_over_make(pretrained: Path, layers: int, depth: int) -> None:
    config = PretrainedConfig(run=str(pretrained), layers=layers)
    before, model = mf.load(pretrained), mf.load(pretrained)
    model.model = deeper(pretrained, depth, config).eval()
    assert model.layers == ["inputs", *(f"block_{number}" for number in range(1, depth + 1))]
    taken, ours, whole = (
        of.embed(SMILES, layer=f"block_{number}", readout="mean").filter(regex=r"^e\d").to_numpy()
        for of, number in ((before, layers), (model, layers), (model, depth))
    )
    np.testing.assert_allclose(ours, taken, rtol=1e-6, atol=1e-6)
    assert 0 < np.linalg.norm(whole - taken) < 0.05 * np.linalg.norm(taken)


def test_added_layers_learn_at_the_full_rate_and_are_never_frozen(pretrained: Path) -> None:
    config = PretrainedConfig(run=str(pretrained), layers=2, layer_decay=0.5, frozen="all", thaw_epoch=2)
    model = deeper(pretrained, 3, config)
    stages = model.encoder.stages()
    rates = learning_rate_shares(model, config)
    assert [{rates.get(p, 1.0) for p in stage.parameters()} for stage in stages] == [{0.125}, {0.25}, {0.5}, {1.0}]
    for epoch, trained in ((1, [False, False, False, True]), (2, [True] * 4)):
        freeze(model, config, epoch)
        assert [all(p.requires_grad for p in stage.parameters()) for stage in stages] == trained


def test_frozen_stages_keep_their_running_means_until_they_thaw(pretrained: Path) -> None:
    specification = load_specification(pretrained)
    encoder = Component("gnn", {**specification.model.encoder.options, "norm": "batch"})
    network = specification.model.model_copy(update={"encoder": encoder})
    model = MolecularModel(specification.model_copy(update={"model": network}))
    config = PretrainedConfig(run=str(pretrained), frozen=2, thaw_epoch=2)
    arrays, _ = mf.load(pretrained).featurize(SMILES)
    batch = GraphCollection({"input": arrays}).batch(range(len(SMILES)))

    def changed(epoch: int) -> list[bool]:
        model.train()
        freeze(model, config, epoch)
        before = [{name: value.clone() for name, value in stage.state_dict().items()} for stage in stages]
        model.represent(batch)
        after = [stage.state_dict() for stage in stages]
        return [any(not torch.equal(a[name], b[name]) for name in a) for a, b in zip(before, after, strict=True)]

    stages = model.encoder.stages()
    means = [any("running" in name for name in stage.state_dict()) for stage in stages]
    assert any(means[:2])
    assert any(means[2:])
    assert changed(1) == [False, False, *means[2:]]
    assert changed(2) == means


def embedded(pretrained: Path, labels: np.ndarray) -> dict[str, EmbeddedMolecules]:
    table = mf.load(pretrained).embed(SMILES).filter(regex=r"^e\d").to_numpy()
    return {part: EmbeddedMolecules(table[rows], labels[rows]) for part, rows in parts().items()}


def reference(baseline: str, kind: str, setting: float):
    if kind == "regression":
        return Ridge(alpha=setting) if baseline == "probe" else KNeighborsRegressor(int(setting), weights="distance")
    if baseline == "probe":
        return LogisticRegression(C=1 / setting, max_iter=1000)
    return KNeighborsClassifier(int(setting), weights="distance")


@pytest.mark.parametrize("label", ["logp", "acid"])
@pytest.mark.parametrize(("baseline", "settings"), [("probe", PENALTIES), ("knn", NEIGHBOURS)])
def test_baselines_on_embeddings_are_those_of_scikit_learn(
    pretrained: Path, table: Path, label: str, baseline: str, settings: tuple[float, ...]
) -> None:
    run = train(tuned(pretrained, table, [label], *NO_STEP, f"run.baselines=[{baseline}]"))
    scores = json.loads(run.baselines.read_text())["assay"][baseline]
    molecules = embedded(pretrained, pd.read_csv(table)[[label]].to_numpy())
    kind = "binary" if label == "acid" else "regression"
    targets = {part: each.labels[:, 0] for part, each in molecules.items()}
    scaler = StandardScaler().fit(molecules["train"].embeddings)
    found = {}
    for setting in settings:
        model = reference(baseline, kind, setting)
        model.fit(scaler.transform(molecules["train"].embeddings), targets["train"])
        said = {}
        for part in ("val", "test"):
            rows = scaler.transform(molecules[part].embeddings)
            said[part] = model.predict(rows) if kind == "regression" else model.predict_proba(rows)[:, 1]
            if baseline == "knn" and kind == "binary":
                said[part] = (setting * said[part] + targets["train"].mean()) / (setting + 1)
        error = (
            np.mean((said["val"] - targets["val"]) ** 2)
            if kind == "regression"
            else log_loss(targets["val"], said["val"])
        )
        found[setting] = error, said["test"]
    _, best = min(found.values(), key=lambda pair: pair[0])
    if kind == "regression":
        assert scores["mae_original"] == pytest.approx(mean_absolute_error(targets["test"], best), rel=1e-3)
    else:
        assert scores["auroc"] == pytest.approx(roc_auc_score(targets["test"], best), abs=1e-6)
        assert scores["bce"] == pytest.approx(log_loss(targets["test"], best), rel=1e-3)


def test_labels_that_are_missing_or_of_several_classes_are_predicted() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 3)).astype(np.float32)
    labels = np.stack([(points[:, 0] > 0) + (points[:, 1] > 0), np.full(60, np.nan)], axis=1).astype(float)
    labels[:5, 0] = np.nan
    train_part, val = (EmbeddedMolecules(points[rows], labels[rows]) for rows in (slice(0, 50), slice(50, 60)))
    for baseline in ("probe", "knn"):
        said = frozen_predictions(baseline, train_part, val, points[50:], "multiclass", classes=4)
        assert said.shape == (10, 2, 4)
        np.testing.assert_allclose(said[:, 0].sum(1), 1.0)
        assert (said[:, 0].argmax(1) == labels[50:, 0]).mean() > 0.6
        assert (said[:, 0, 3] <= 1e-9).all()
        assert np.isnan(said[:, 1]).all()
        unchecked = EmbeddedMolecules(points[:0], labels[:0])
        assert np.isfinite(
            frozen_predictions(baseline, train_part, unchecked, points[50:], "multiclass", classes=4)[:, 0]
        ).all()


def test_a_run_without_tasks_of_molecules_is_embedded_by_the_mean_of_its_atoms(
    experiment: MakeExperiment, table: Path
) -> None:
    run = train(
        experiment("tasks={logp: null, acid: null}", "data.datasets={props: null}", "training.epochs=1", run="atoms")
    )
    tuning = train(tuned(run.path, table, ["logp"], *NO_STEP, "run.baselines=[knn]"))
    table_of = mf.load(run.path).embed(SMILES, readout="mean").filter(regex=r"^e\d").to_numpy()
    labels = pd.read_csv(table)[["logp"]].to_numpy()
    molecules = {part: EmbeddedMolecules(table_of[rows], labels[rows]) for part, rows in parts().items()}
    said = frozen_predictions("knn", molecules["train"], molecules["val"], molecules["test"].embeddings, "regression")
    scores = json.loads(tuning.baselines.read_text())["assay"]["knn"]
    assert scores["mae_original"] == pytest.approx(np.abs(said - molecules["test"].labels).mean(), rel=1e-3)


def test_baselines_on_embeddings_need_a_run_and_molecules(
    experiment: MakeExperiment, pretrained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MolfoundError, match=r"probe is fitted to embeddings of a pretrained run"):
        experiment("run.baselines=[mean, probe]")
    start = f"training.pretrained.run={pretrained}"
    run = train(experiment(start, "run.baselines=[probe]", "training.epochs=1"))
    scores = json.loads(run.baselines.read_text())
    assert {name: list(found) for name, found in scores.items()} == {
        "logp": ["probe"],
        "acid": ["probe"],
        "neighbours": [],
    }
    assert "no probe, which know whole molecules in memory, for neighbours" in capsys.readouterr().err


def test_without_a_validation_part_baselines_take_their_first_setting(pretrained: Path, table: Path) -> None:
    split = "data.datasets.assay.split={kind: random, fractions: [0.8, 0, 0.2], seed: 42}"
    options = (split, "training.monitor=train/loss", "training.early_stopping=null", "run.baselines=[probe]")
    run = train(tuned(pretrained, table, ["logp"], *NO_STEP, *options))
    rows, labels = random_split(len(SMILES), (0.8, 0.0, 0.2), 42), pd.read_csv(table)["logp"].to_numpy()
    molecules = mf.load(pretrained).embed(SMILES).filter(regex=r"^e\d").to_numpy()
    scaler = StandardScaler().fit(molecules[rows["train"]])
    model = Ridge(alpha=PENALTIES[0]).fit(scaler.transform(molecules[rows["train"]]), labels[rows["train"]])
    error = mean_absolute_error(labels[rows["test"]], model.predict(scaler.transform(molecules[rows["test"]])))
    scores = json.loads(run.baselines.read_text())["assay"]["probe"]
    assert scores["mae_original"] == pytest.approx(error, rel=1e-3)


def test_what_is_written_is_not_lost(pretrained: Path, table: Path) -> None:
    experiment = tuned(pretrained, table, ["logp"])
    with pytest.raises(MolfoundError, match="holds a fine-tuning already: train what is there"):
        new_folder(table, experiment.run_folder, overwrite=False)
    assert new_folder(table, experiment.run_folder, overwrite=True) == experiment.run_folder
    assert new_folder(table, None, overwrite=False) == Path("runs/finetune-assay")
    with pytest.raises(MolfoundError, match=r"unknown key 'training\.epoch'"):
        tuned(pretrained, table, ["logp"], "training.epoch=3", folder="mistaken")
    assert not (table.parent / "mistaken" / EXPERIMENT_FILE).exists()


def test_a_split_without_a_part_is_refused(pretrained: Path, tmp_path: Path) -> None:
    table = tmp_path / "one_scaffold.csv"
    pd.DataFrame({"smiles": [f"c1ccccc1{'C' * n}" for n in range(1, 31)], "y": np.arange(30.0)}).to_csv(
        table, index=False
    )
    assay = read_assay(table, None, ["y"])
    experiment = FineTuning(pretrained).of_assay(assay, "scaffold", tmp_path / "tuned", CPU)
    with pytest.raises(MolfoundError, match="leaves no molecule with a label of task 'assay' for the part 'val'"):
        check_fine_tuning([experiment])


def test_a_part_of_one_class_is_told_and_a_training_part_of_one_is_refused(pretrained: Path, tmp_path: Path) -> None:
    table, active = tmp_path / "rare.csv", np.zeros(len(SMILES))
    active[parts()["train"][:3]] = 1
    pd.DataFrame({"smiles": SMILES, "active": active}).to_csv(table, index=False)
    remarks = check_fine_tuning([tuned(pretrained, table, ["active"], *CPU)])
    assert remarks == [
        f"{part} has one class alone of active: AUROC and AP are undefined there" for part in ("val", "test")
    ]
    active[:] = 0
    active[parts()["test"][:3]] = 1
    pd.DataFrame({"smiles": SMILES, "active": active}).to_csv(table, index=False)
    with pytest.raises(MolfoundError, match="label 'active' has fewer than two different values in the training part"):
        check_fine_tuning([tuned(pretrained, table, ["active"], *CPU, folder="other")])


def test_defaults_grow_with_the_table() -> None:
    sizes = [training_defaults(molecules) for molecules in (60, 480, 2000, 10_000)]
    assert [each["data"]["batch"]["size"] for each in sizes] == [16, 16, 32, 64]
    assert [each["training"]["epochs"] for each in sizes] == [60, 30, 30, 30]
    assert [each["training"]["pretrained"]["layer_decay"] for each in sizes] == [0.8, 0.8, 0.8, 0.9]


def test_all_that_makes_the_network_is_taken_over(pretrained: Path) -> None:
    specification = FineTuning(pretrained).specification
    changed = specification.model_copy(update={"crop": 9, "max_heavy_atoms": 77})
    assert network_of(changed)["data.crop"] == 9
    assert network_of(changed)["data.max_heavy_atoms"] == 77
    with pytest.raises(MolfoundError, match=r"holds no model to start from: it has no model\.json"):
        FineTuning(pretrained.parent)
    empty = pretrained.parent / "unfinished"
    empty.mkdir()
    (empty / "model.json").write_text((pretrained / "model.json").read_text())
    with pytest.raises(MolfoundError, match="holds no weights yet"):
        FineTuning(empty)


def test_a_fine_tuning_is_evaluated_where_its_run_is_gone(pretrained: Path, table: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("model.json", "model.safetensors"):
        (copy / name).write_bytes((pretrained / name).read_bytes())
    run = train(tuned(copy, table, ["logp"], *NO_STEP, "run.baselines=[]"))
    (copy / "model.json").unlink()
    _, scores = evaluate_run(run.path, device="cpu")
    kept = json.loads(RunFolder(run.path).scores.read_text())["test"]["assay"]["mae"]["mean"]
    assert scores.tasks["assay"].mean["mae"] == pytest.approx(kept, rel=1e-6)
