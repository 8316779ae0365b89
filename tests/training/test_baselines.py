"""The baselines against scikit-learn used directly, and against plain means."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score

from molfound.config.component import Component
from molfound.config.schema import Kind
from molfound.tasks.label_summary import LabelSummary
from molfound.tasks.resolve import make_task
from molfound.training.baselines import LabelledMolecules, LabelPairs, label_means, mean_scores
from molfound.training.finish import mixture_baselines
from molfound.training.forest import Forest, forest_predictions, forest_scores
from molfound.training.mixture import TaskMixture, load_task_mixture
from tests.training.conftest import MakeExperiment

HETEROATOMS = ["O", "N", "S", "Cl", "F", "C(=O)O", "C#N", "c1ccccc1"]
SMILES = [f"{'C' * chain}{group}" for chain in range(1, 9) for group in HETEROATOMS]
TRAIN, TEST = ([SMILES[i] for i in part] for part in np.split(np.random.default_rng(0).permutation(64), [44]))
SMALL = Forest(trees=20, jobs=1)


def _labels(smiles, kind: Kind, seed=0, share=0.3):
    rng = np.random.default_rng(seed)
    size = np.array([[s.count("C"), s.count("O"), len(s)] for s in smiles], float)
    labels = {
        "regression": size * [1.0, 100.0, 0.01],
        "binary": size > [4, 0, 6],
        "multiclass": np.minimum(size, 3),
    }[kind].astype(float)
    labels[rng.random(labels.shape) < share] = np.nan
    return labels


def _task(kind: Kind, **options):
    classes = {"classes": 4} if kind == "multiclass" else {}
    return make_task("toy", "toy", "graph", kind, ["a", "b", "c"], **classes, **options)


def _parts(kind: Kind):
    return {
        "train": LabelledMolecules(TRAIN, _labels(TRAIN, kind)),
        "test": LabelledMolecules(TEST, _labels(TEST, kind, seed=1)),
    }


def _pairs(labels):
    row, label = np.nonzero(~np.isnan(labels))
    return LabelPairs(label, labels[row, label].astype(np.float32))


def _summary(labels, classes=None):
    return LabelSummary.of(*_pairs(labels), labels.shape[1], classes)


def _scores(task, train, test):
    mean = mean_scores(task, _summary(train.labels, task.classes), [_pairs(test.labels)])
    return {"mean": mean, "forest": forest_scores(task, train, test, SMALL)}


def test_label_means():
    labels = _labels(TRAIN, "regression")
    labels[:, 2] = np.nan
    means = label_means(_summary(labels), "regression")
    np.testing.assert_allclose(means[:2], np.nanmean(labels[:, :2], 0), rtol=1e-6)
    assert np.isnan(means[2])
    classes = np.array([[0.0, 1.0, np.nan], [2.0, 1.0, np.nan], [2.0, np.nan, np.nan]])
    expected = [[1 / 3, 0, 2 / 3], [0, 1, 0], [np.nan] * 3]
    np.testing.assert_allclose(label_means(_summary(classes, 3), "multiclass"), expected)


def test_a_label_without_training_values_is_left_out_of_what_is_flattened():
    metrics = [Component("mae"), Component("mae", {"aggregation": "flattened"})]
    task = _task("regression", metrics=metrics, normalize="none")
    train, test = (_labels(smiles, "regression", seed) for smiles, seed in ((TRAIN, 0), (TEST, 1)))
    train[:, 2] = np.nan
    scores = mean_scores(task, _summary(train), [_pairs(test)])
    errors = np.abs(test[:, :2] - np.nanmean(train[:, :2], 0))
    assert scores["mae"] == pytest.approx(np.nanmean(errors, 0).mean(), rel=1e-5)
    assert scores["mae_flattened"] == pytest.approx(np.nanmean(errors), rel=1e-5)


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_the_mean_is_scored_the_same_from_pieces_in_a_file(kind):
    task = _task(kind)
    train, pairs = _summary(_labels(TRAIN, kind), task.classes), _pairs(_labels(TEST, kind, seed=1))
    pieces = [LabelPairs(*(column[first::3] for column in pairs)) for first in range(3)]
    assert mean_scores(task, train, pieces, memory=1) == mean_scores(task, train, [pairs])


def test_a_label_of_its_own_forest_equals_scikit_learn_on_dense_counts():
    labels = _labels(TRAIN, "binary")
    from_us = forest_predictions(TRAIN, labels, TEST, "graph", "binary", forest=SMALL)
    train, test = (_dense_counts(smiles) for smiles in (TRAIN, TEST))
    for label in range(3):
        rows = ~np.isnan(labels[:, label])
        forest = RandomForestClassifier(20, max_features="sqrt", min_samples_leaf=2, random_state=label)
        expected = forest.fit(train[rows], labels[rows, label]).predict_proba(test)[:, 1]
        smoothed = (20 * expected + labels[rows, label].mean()) / 21
        np.testing.assert_allclose(from_us[:, label], smoothed, atol=1e-12)


def _dense_counts(smiles):
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    return np.array([generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(s)) for s in smiles], np.float32)


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_the_forest_beats_the_mean_and_both_have_every_metric(kind):
    task = _task(kind)
    scores = _scores(task, **_parts(kind))
    assert {metric.name for metric in task.metrics} <= set(scores["forest"]) == set(scores["mean"])
    lower = {"regression": "mae", "binary": "bce", "multiclass": "cross_entropy"}[kind]
    assert scores["forest"][lower] < 0.9 * scores["mean"][lower]


def test_scores_are_the_metrics_of_the_predictions():
    parts = _parts("regression")
    train, test = parts["train"].labels, parts["test"].labels
    prediction = forest_predictions(TRAIN, train, TEST, "graph", "regression", forest=SMALL)
    scores = _scores(_task("regression"), **parts)
    kept = [~np.isnan(test[:, label]) for label in range(3)]
    errors = [mean_absolute_error(test[k, label], prediction[k, label]) for label, k in enumerate(kept)]
    assert scores["forest"]["mae_original"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert scores["forest"]["mae"] == pytest.approx(np.mean(errors / np.nanstd(train, 0)), rel=1e-5)
    assert scores["mean"]["pearson"] is None

    parts = _parts("binary")
    train, test = parts["train"].labels, parts["test"].labels
    prediction = forest_predictions(TRAIN, train, TEST, "graph", "binary", forest=SMALL)
    scores = _scores(_task("binary"), **parts)
    kept = [~np.isnan(test[:, label]) for label in range(3)]
    pairs = [(test[k, label], prediction[k, label]) for label, k in enumerate(kept)]
    assert scores["forest"]["auroc"] == pytest.approx(np.mean([roc_auc_score(*pair) for pair in pairs]), rel=1e-6)
    assert scores["forest"]["bce"] == pytest.approx(np.mean([log_loss(*pair) for pair in pairs]), rel=1e-5)
    assert scores["mean"]["auroc"] == 0.5


def test_labels_present_in_the_same_rows_share_a_forest_whatever_their_scale():
    labels = _labels(TRAIN, "regression", share=0.0)
    prediction = forest_predictions(TRAIN, labels, TEST, "graph", "regression", forest=SMALL)
    scale = [2.0**10, 2.0**-10, 1.0]  # powers of 2, which change no rounding
    rescaled = forest_predictions(TRAIN, labels * scale, TEST, "graph", "regression", forest=SMALL)
    np.testing.assert_allclose(rescaled, prediction * scale, rtol=1e-12)
    error = np.abs(prediction - _labels(TEST, "regression", share=0.0)).mean(0)
    spread = np.abs(_labels(TEST, "regression", share=0.0) - labels.mean(0)).mean(0)
    assert (error < 0.6 * spread).all()


def test_labels_that_do_not_vary_are_predicted_by_their_mean():
    labels = _labels(TRAIN, "binary")
    labels[:, 0] = np.where(np.isnan(labels[:, 0]), np.nan, 0.0)
    labels[:, 1] = np.nan
    prediction = forest_predictions(TRAIN, labels, TEST, "graph", "binary", forest=SMALL)
    assert (prediction[:, 0] == 0).all()
    assert np.isnan(prediction[:, 1]).all()
    assert ((prediction[:, 2] > 0) & (prediction[:, 2] < 1)).all()
    assert not np.isnan(forest_predictions(TRAIN, labels[:, :1], TEST, "graph", "binary", forest=SMALL)).any()


def test_same_seed_same_forest_whatever_the_threads():
    labels = _labels(TRAIN, "binary")
    one, two, other = (
        forest_predictions(TRAIN, labels, TEST, "graph", "binary", forest=Forest(trees=5, seed=seed, jobs=jobs))
        for seed, jobs in [(0, 1), (0, 3), (1, 1)]
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_forests_grow_on_the_cores_that_the_process_may_use(monkeypatch):
    workers = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, max_workers):
            workers.append(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1}, raising=False)
    monkeypatch.setattr("molfound.training.forest.ThreadPoolExecutor", Pool)
    forest_predictions(TRAIN, _labels(TRAIN, "binary"), TEST, "graph", "binary", forest=Forest(trees=2))
    assert workers == [2]


def test_atoms_are_predicted_in_smiles_order():
    labels = np.concatenate([_atomic_numbers(smiles) for smiles in TRAIN])[:, None]
    prediction = forest_predictions(TRAIN, labels, ["OCC", "CCO", "C(N)C"], "node", "regression", forest=SMALL)
    assert prediction.shape == (9, 1)
    expected = [8, 6, 6, 6, 6, 8, 6, 7, 6]
    np.testing.assert_allclose(prediction[:, 0], expected, atol=0.5)
    limited = Forest(trees=5, max_rows=10, jobs=1)
    assert forest_predictions(TRAIN, labels, ["CCO"], "node", "regression", forest=limited).shape == (3, 1)
    with pytest.raises(ValueError, match="rows of labels"):
        forest_predictions(TRAIN, labels[1:], ["CCO"], "node", "regression")


def _atomic_numbers(smiles):
    return [float(atom.GetAtomicNum()) for atom in Chem.MolFromSmiles(smiles).GetAtoms()]


def test_the_mean_is_scored_from_the_labels_that_are_there(experiment: MakeExperiment, monkeypatch):
    chosen = experiment("tasks.logp.normalize=none")
    mixture = load_task_mixture(chosen, lambda line: None)
    dense = {(task.name, part): mixture.labelled(task, part).labels for task, part in _asked(mixture)}
    monkeypatch.setattr(TaskMixture, "labelled", lambda *_: pytest.fail("a dense table of labels was made"))
    scores = mixture_baselines(chosen, mixture)
    train, test = dense["logp", "train"], dense["logp", "test"]
    assert {name: set(found) for name, found in scores.items()} == {name: {"mean"} for name in mixture.tasks}
    assert scores["logp"]["mean"]["mae"] == pytest.approx(np.nanmean(np.abs(test - np.nanmean(train, 0)), 0).mean())


def test_forests_are_grown_for_molecules_and_atoms(experiment: MakeExperiment):
    chosen = experiment("run.baselines=[mean, forest]")
    mixture = load_task_mixture(chosen, lambda line: None)
    scores = mixture_baselines(chosen, mixture)
    assert {name: set(found) for name, found in scores.items()} == {name: {"mean", "forest"} for name in mixture.tasks}
    assert scores["neighbours"]["forest"]["mae"] < scores["neighbours"]["mean"]["mae"]


def _asked(mixture):
    return [(mixture.tasks[name], part) for name in mixture.tasks for part in ("train", "test")]


def test_no_forest_for_a_level_that_it_does_not_know():
    task = make_task("toy", "toy", "edge", "regression", ["a"])
    part = LabelledMolecules(["CC"], np.ones((2, 1)))
    with pytest.raises(ValueError, match="no forest at level edge"):
        forest_scores(task, part, part, SMALL)


@pytest.mark.parametrize("empty", ["train", "test"])
@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_a_part_without_molecules_has_no_scores(kind, empty):
    parts = _parts(kind) | {empty: LabelledMolecules([], np.empty((0, 3)))}
    scores = _scores(_task(kind), **parts)
    assert {value for metrics in scores.values() for value in metrics.values()} == {None}
