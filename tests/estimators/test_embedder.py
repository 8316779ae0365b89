"""The scikit-learn transformer: scikit-learn's own checks, and pipelines of SMILES."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import molfound as mf
from molfound.errors import MolfoundError
from tests.inference.test_predictor import MANY

# Checks that give samples as tables of numbers, of which none is a molecule.
NUMERIC = [
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_estimator_sparse_array",
    "check_estimator_sparse_tag",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_pipeline_consistency",
    "check_transformer_general",
    "check_transformer_preserve_dtypes",
]


class OfNumbers(mf.MoleculeEmbedder):
    """The transformer as if it took tables of numbers: scikit-learn then runs all of its checks."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = False
        return tags


def test_it_passes_the_checks_of_scikit_learn(run: Path) -> None:
    with pytest.warns(SkipTestWarning, match="Can't test estimator MoleculeEmbedder which requires input"):
        check_estimator(mf.MoleculeEmbedder(str(run)), on_skip=None)
    excepted = dict.fromkeys(NUMERIC, "a number is no molecule")
    found = check_estimator(OfNumbers(str(run)), expected_failed_checks=excepted, on_skip=None)
    assert sum(result["status"] == "passed" for result in found) >= 20
    assert {result["check_name"] for result in found if result["status"] == "xfail"} == set(NUMERIC)


def test_embeddings_are_those_of_the_model(run: Path) -> None:
    expected = mf.load(run).embed(MANY, readout="mean").filter(regex=r"^e\d+$")
    embedder = mf.MoleculeEmbedder(run, readout="mean").fit(MANY)
    assert embedder.get_feature_names_out().tolist() == expected.columns.tolist()
    molecules = [Chem.MolFromSmiles(text) for text in MANY]
    for samples in (MANY, np.array(MANY), pd.Series(MANY), pd.DataFrame({"smiles": MANY}), molecules):
        np.testing.assert_allclose(embedder.transform(samples), expected, atol=1e-5)
    for copy in (pickle.loads(pickle.dumps(embedder)), clone(embedder).fit(MANY)):
        np.testing.assert_allclose(copy.transform(MANY), expected, atol=1e-5)
    assert len(pickle.dumps(embedder)) < 2000
    order = np.random.default_rng(0).permutation(len(MANY))
    np.testing.assert_allclose(embedder.transform(np.array(MANY)[order]), expected.to_numpy()[order], atol=1e-5)


def test_a_pipeline_is_cross_validated(run: Path) -> None:
    samples = pd.Series(MANY * 3)
    targets = np.array([Chem.MolFromSmiles(text).GetNumAtoms() for text in samples], float)
    pipeline = make_pipeline(mf.MoleculeEmbedder(run, readout="sum"), Ridge(1e-3))
    predicted = cross_val_predict(pipeline, samples, targets, cv=3)
    assert np.corrcoef(predicted, targets)[0, 1] > 0.8


def test_what_is_no_molecule_is_an_error_or_missing(run: Path) -> None:
    with pytest.raises(MolfoundError, match="sample 1 is no molecule: invalid_smiles"):
        mf.MoleculeEmbedder(run).fit(MANY).transform(["C", "?"])
    found = mf.MoleculeEmbedder(run, invalid="nan").fit(MANY).transform(["C", "?"])
    assert np.isnan(found).all(axis=1).tolist() == [False, True]
    with pytest.raises(MolfoundError, match="read-out 'none' embeds atoms"):
        mf.MoleculeEmbedder(run, readout="none").fit(MANY)
    with pytest.raises(MolfoundError, match="invalid is 'raise' or 'nan', not 'drop'"):
        mf.MoleculeEmbedder(run, invalid="drop").fit(MANY)  # type: ignore[arg-type]
    with pytest.raises(MolfoundError, match="molecules are one column, and there are 2"):
        mf.MoleculeEmbedder(run).fit(MANY).transform(pd.DataFrame({"a": MANY, "b": MANY}))
