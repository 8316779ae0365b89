"""Gradient boosting against scikit-learn used directly on RDKit's own counts."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error

from molfound.config.schema import Kind
from molfound.tasks.resolve import make_task
from molfound.training.baselines import LabelledMolecules
from molfound.training.boosting import Boosting, boosting_predictions, boosting_scores
from molfound.training.finish import mixture_baselines
from molfound.training.mixture import load_task_mixture
from tests.training.conftest import MakeExperiment

GROUPS = ["O", "N", "S", "Cl", "F", "C(=O)O", "C#N", "c1ccccc1"]
SMILES = [f"{'C' * chain}{group}" for chain in range(1, 11) for group in GROUPS]
TRAIN, TEST = ([SMILES[i] for i in part] for part in np.split(np.random.default_rng(0).permutation(80), [60]))
FEW = Boosting(trees=8, columns=40, seed=3)
OPTIONS = {
    "max_iter": 8,
    "learning_rate": 0.1,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 5,
    "max_features": 0.3,
    "random_state": 3,
    "early_stopping": False,
}


def labels(smiles: list[str], kind: Kind, seed: int = 0) -> np.ndarray:
    """Three labels that follow from a molecule's size and atoms, a third of them missing."""
    size = np.array([[text.count("C"), text.count("O"), len(text)] for text in smiles], float)
    found = {
        "regression": size * [1.0, 100.0, 0.01],
        "binary": size > [4, 0, 6],
        "multiclass": np.minimum(size, 3),
    }[kind].astype(float)
    found[np.random.default_rng(seed).random(found.shape) < 0.3] = np.nan
    return found


def counts(smiles: list[str]) -> np.ndarray:
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    return np.array([generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(text)) for text in smiles], float)


def frequent(smiles: list[str], columns: int) -> np.ndarray:
    """The columns in the most molecules, in their order; of those in equally many, the first."""
    molecules = (counts(smiles) > 0).sum(0)
    return np.array(sorted(sorted(range(2048), key=lambda column: -molecules[column])[:columns]))


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_each_label_has_the_trees_of_scikit_learn(kind: Kind) -> None:
    known = labels(TRAIN, kind)
    said = boosting_predictions(TRAIN, known, TEST, kind, classes=4 if kind == "multiclass" else None, boosting=FEW)
    columns = frequent(TRAIN, 40)
    train, test = counts(TRAIN)[:, columns], counts(TEST)[:, columns]
    for label in range(3):
        rows = ~np.isnan(known[:, label])
        if kind == "regression":
            expected = HistGradientBoostingRegressor(**OPTIONS).fit(train[rows], known[rows, label]).predict(test)
        else:
            model = HistGradientBoostingClassifier(**OPTIONS).fit(train[rows], known[rows, label])
            shares = np.zeros((len(TEST), 4))
            shares[:, model.classes_.astype(int)] = model.predict_proba(test)
            expected = shares[:, 1] if kind == "binary" else shares
        np.testing.assert_allclose(said[:, label], expected, rtol=1e-12)


def test_a_count_beyond_a_byte_is_the_largest_byte() -> None:
    long = [*TRAIN, "C" * 600]
    known = np.array([[float(len(text))] for text in long])
    one, other = (
        boosting_predictions(long, known, ["C" * length], "regression", boosting=FEW) for length in (300, 599)
    )
    assert one == other


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_it_beats_the_mean_and_has_every_metric(kind: Kind) -> None:
    task = make_task("toy", "toy", "graph", kind, ["a", "b", "c"], classes=4 if kind == "multiclass" else None)
    known, asked = labels(TRAIN, kind), labels(TEST, kind, seed=1)
    parts = [LabelledMolecules(TRAIN, known), LabelledMolecules(TEST, asked)]
    scores = boosting_scores(task, parts[0], parts[1], Boosting(trees=30))
    nothing = boosting_scores(task, parts[0], parts[1], Boosting(trees=1, rate=1e-9))
    assert {metric.name for metric in task.metrics} <= set(scores)
    lower = {"regression": "mae", "binary": "bce", "multiclass": "cross_entropy"}[kind]
    assert scores[lower] < 0.8 * nothing[lower]  # type: ignore[operator]
    if kind == "regression":
        said = boosting_predictions(TRAIN, known, TEST, kind, boosting=Boosting(trees=30))
        there = ~np.isnan(asked)
        errors = [mean_absolute_error(asked[there[:, i], i], said[there[:, i], i]) for i in range(3)]
        assert scores["mae_original"] == pytest.approx(np.mean(errors), rel=1e-5)


def test_labels_that_do_not_vary_are_predicted_by_their_mean() -> None:
    known = labels(TRAIN, "binary")
    known[:, 0] = np.where(np.isnan(known[:, 0]), np.nan, 0.0)
    known[:, 1] = np.nan
    said = boosting_predictions(TRAIN, known, TEST, "binary", boosting=FEW)
    assert (said[:, 0] == 0).all()
    assert np.isnan(said[:, 1]).all()
    assert ((said[:, 2] > 0) & (said[:, 2] < 1)).all()


@pytest.mark.parametrize("empty", ["train", "test"])
@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_a_part_without_molecules_has_no_scores(kind: Kind, empty: str) -> None:
    task = make_task("toy", "toy", "graph", kind, ["a", "b", "c"], classes=4 if kind == "multiclass" else None)
    parts = {
        name: LabelledMolecules(smiles, labels(smiles, kind)) for name, smiles in (("train", TRAIN), ("test", TEST))
    }
    parts[empty] = LabelledMolecules([], np.empty((0, 3)))
    assert set(boosting_scores(task, parts["train"], parts["test"], FEW).values()) == {None}


def test_it_is_fitted_to_molecules_and_not_to_atoms(experiment: MakeExperiment) -> None:
    chosen = experiment("run.baselines=[mean, boosting]")
    scores = mixture_baselines(chosen, load_task_mixture(chosen, lambda line: None))
    assert {task: set(found) for task, found in scores.items()} == {
        "logp": {"mean", "boosting"},
        "acid": {"mean", "boosting"},
        "neighbours": {"mean"},
    }
    assert scores["logp"]["boosting"]["mae"] < scores["logp"]["mean"]["mae"]  # type: ignore[operator]
