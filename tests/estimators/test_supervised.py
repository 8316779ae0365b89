"""The regressor and the classifier: what they learn, what they refuse, and scikit-learn's own checks."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

import molfound as mf
from molfound.errors import MolfoundError
from molfound.model import load_specification
from tests.training.conftest import SMILES

LOGP = np.array([Crippen.MolLogP(Chem.MolFromSmiles(text)) for text in SMILES])
CLASSES = np.where(LOGP < 0, "polar", np.where(LOGP < 1.5, "middle", "fat"))
SMALL = [
    "training.epochs=20",
    "training.threads=1",
    "training.optimizer.lr=1e-2",
    "data.batch.size=16",
    "encodings={}",
    "model.inputs={width: 16}",
    "model.encoder.width=16",
    "model.encoder.depth=2",
]

# Checks that give samples as tables of numbers, of which none is a molecule.
NUMERIC = {
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
}
NUMERIC_OF_KIND = {
    mf.MoleculeRegressor: {
        "check_regressor_data_not_an_array",
        "check_regressor_multioutput",
        "check_regressors_int",
        "check_regressors_no_decision_function",
        "check_regressors_train",
        "check_supervised_y_no_nan",  # a target that is missing is none of the mistakes
    },
    mf.MoleculeClassifier: {
        "check_classifier_data_not_an_array",
        "check_classifiers_classes",
        "check_classifiers_train",
    },
}


@pytest.fixture(scope="module")
def regressor() -> mf.MoleculeRegressor:
    """A regressor of logP and of twice logP, which a third of the samples lack."""
    targets = np.stack([LOGP, 2 * LOGP], axis=1)
    targets[::3, 1] = np.nan
    return mf.MoleculeRegressor(overrides=SMALL, random_state=0).fit(SMILES, targets)


@pytest.fixture(scope="module")
def classifier() -> mf.MoleculeClassifier:
    """A classifier of three classes."""
    return mf.MoleculeClassifier(overrides=SMALL, random_state=0).fit(pd.Series(SMILES), pd.Series(CLASSES))


def test_numbers_are_learned_also_where_some_are_missing(regressor: mf.MoleculeRegressor) -> None:
    predicted = regressor.predict(SMILES)
    assert predicted.shape == (len(SMILES), 2)
    for column, factor in enumerate((1, 2)):
        residual = predicted[:, column] - factor * LOGP
        assert (residual**2).mean() < 0.6 * (factor * LOGP).var()
    table = regressor.predictor_.predict([Chem.MolFromSmiles(text) for text in SMILES])
    np.testing.assert_allclose(predicted, table[["samples.y0", "samples.y1"]], atol=1e-4)


def test_classes_are_learned(classifier: mf.MoleculeClassifier) -> None:
    assert classifier.classes_.tolist() == ["fat", "middle", "polar"]
    probability = classifier.predict_proba(SMILES)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-5)
    predicted = classifier.predict(SMILES)
    assert (predicted == np.array(["fat", "middle", "polar"])[probability.argmax(axis=1)]).all()
    most_frequent = max(np.mean(name == CLASSES) for name in classifier.classes_)
    assert classifier.score(SMILES, CLASSES) > most_frequent


def test_a_pickle_predicts_the_same(regressor: mf.MoleculeRegressor) -> None:
    copy = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(copy.predict(SMILES), regressor.predict(SMILES))
    told = [one.predictor_.predict(SMILES, interval=0.5, applicability=True) for one in (copy, regressor)]
    pd.testing.assert_frame_equal(*told)
    assert told[0].filter(like=".low").notna().all(axis=None)
    assert copy.get_params() == regressor.get_params()
    assert not hasattr(clone(regressor), "predictor_")


def test_a_run_is_fine_tuned_and_two_classes_have_their_probabilities(run: Path) -> None:
    overrides = ["training.epochs=1", "training.threads=1"]
    classifier = mf.MoleculeClassifier(run, overrides=overrides, random_state=0).fit(SMILES, LOGP > 1)
    tuned, given = classifier.predictor_.specification, load_specification(run)
    assert (tuned.model, tuned.atom_features, tuned.encodings) == (given.model, given.atom_features, given.encodings)
    assert classifier.predict_proba(SMILES).shape == (len(SMILES), 2)
    positive = classifier.predictor_.predict(SMILES)["samples.y0"]
    assert (classifier.predict(SMILES) == (positive > 0.5)).all()


@pytest.mark.parametrize("config", ["mine/own.yaml", Path("mine/own"), "parts/small_data_training"])
def test_a_configuration_of_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str | Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/base.yaml").write_text("extends: parts/small_data_training\n")
    (tmp_path / "mine/own.yaml").write_text("extends: base.yaml\n")
    overrides = [*SMALL, "training.epochs=1"]
    regressor = mf.MoleculeRegressor(config=config, overrides=overrides, random_state=0, device="cpu:0")
    assert regressor.fit(SMILES, LOGP).predict(["CCO"]).shape == (1,)


def test_a_run_of_the_hub_is_named_as_it_was() -> None:
    with pytest.raises(MolfoundError, match="'hf://OWNER' is no address of a run"):
        mf.MoleculeRegressor("hf://OWNER").fit(SMILES, LOGP)


def test_mistakes_are_told(run: Path) -> None:
    regressor = mf.MoleculeRegressor(overrides=SMALL)
    with pytest.raises(MolfoundError, match="sample 1 is no molecule: invalid_smiles"):
        regressor.fit(["C", "?"], [0.0, 1.0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        regressor.fit(SMILES, LOGP[:-1])
    with pytest.raises(ValueError, match="y contains infinity"):
        regressor.fit(SMILES, np.full(len(SMILES), np.inf))
    with pytest.raises(MolfoundError, match="toymix/gine names 'qm9', and an estimator learns its samples alone"):
        mf.MoleculeRegressor(config="toymix/gine").fit(SMILES, LOGP)
    with pytest.raises(MolfoundError, match=r"no file 'absent\.yaml'"):
        mf.MoleculeRegressor(config="absent.yaml").fit(SMILES, LOGP)
    with pytest.raises(MolfoundError, match="device=nowhere is no device"):
        mf.MoleculeRegressor(device="nowhere").fit(SMILES, LOGP)
    with pytest.raises(ValueError, match="all targets are of one class"):
        mf.MoleculeClassifier(run).fit(SMILES, np.ones(len(SMILES), int))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        mf.MoleculeClassifier(run).fit(SMILES, LOGP)


def test_a_sample_to_predict_that_is_no_molecule_is_an_error(regressor: mf.MoleculeRegressor) -> None:
    with pytest.raises(MolfoundError, match="sample 1 is no molecule: invalid_smiles"):
        regressor.predict(["C", "?"])


def _of_numbers(kind: type[Any]) -> type[Any]:
    """Return the estimator as if it took tables of numbers: scikit-learn then runs all of its checks."""

    def tags(self: Any) -> Any:
        found = kind.__sklearn_tags__(self)
        found.input_tags.two_d_array = True
        found.input_tags.string = False
        return found

    return type(f"OfNumbers{kind.__name__}", (kind,), {"__sklearn_tags__": tags})


@pytest.mark.parametrize("kind", [mf.MoleculeRegressor, mf.MoleculeClassifier])
def test_it_passes_the_checks_of_scikit_learn(kind: type[Any]) -> None:
    with pytest.warns(SkipTestWarning, match=f"Can't test estimator {kind.__name__} which requires input"):
        check_estimator(kind(), on_skip=None)
    found = check_estimator(_of_numbers(kind)(), on_fail=None, on_skip=None)
    failed = {result["check_name"] for result in found if result["status"] == "failed"}
    assert failed == NUMERIC | NUMERIC_OF_KIND[kind]
    assert sum(result["status"] == "passed" for result in found) >= 14
