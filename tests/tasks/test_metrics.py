"""Every registered metric against scikit-learn and scipy, on random sparse labels with ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn import metrics as sklearn_metrics

from molfound.tasks.metrics import metrics
from molfound.tasks.packed import PackedPredictions, sort_key
from tests.tasks.examples import dense, random_packed

CLASSES = [0, 1, 2, 3]


def _two_classes(target):
    return len(np.unique(target)) == 2


def _both_vary(prediction, target):
    return len(np.unique(prediction)) > 1 and len(np.unique(target)) > 1


def _accuracy(prediction, target):
    predicted = prediction.argmax(1) if prediction.ndim == 2 else prediction > 0
    return sklearn_metrics.accuracy_score(target, predicted)


# name -> (when the metric is defined, the reference), both of one label's predictions and targets
REFERENCES = {
    "mae": (lambda p, t: True, lambda p, t: sklearn_metrics.mean_absolute_error(t, p)),
    "mse": (lambda p, t: True, lambda p, t: sklearn_metrics.mean_squared_error(t, p)),
    "rmse": (lambda p, t: True, lambda p, t: sklearn_metrics.root_mean_squared_error(t, p)),
    "mae_original": (lambda p, t: True, lambda p, t: 3 * sklearn_metrics.mean_absolute_error(t, p)),
    "rmse_original": (lambda p, t: True, lambda p, t: sklearn_metrics.root_mean_squared_error(3 * t, 3 * p)),
    "r2": (lambda p, t: len(np.unique(t)) > 1, lambda p, t: sklearn_metrics.r2_score(t, p)),
    "pearson": (_both_vary, lambda p, t: pearsonr(p, t).statistic),
    "spearman": (_both_vary, lambda p, t: spearmanr(p, t).statistic),
    "auroc": (lambda p, t: _two_classes(t), lambda p, t: sklearn_metrics.roc_auc_score(t, p)),
    "ap": (lambda p, t: _two_classes(t), lambda p, t: sklearn_metrics.average_precision_score(t, p)),
    "bce": (lambda p, t: True, lambda p, t: sklearn_metrics.log_loss(t, expit(p), labels=[0, 1])),
    "accuracy": (lambda p, t: True, _accuracy),
    "cross_entropy": (lambda p, t: True, lambda p, t: sklearn_metrics.log_loss(t, softmax(p, 1), labels=CLASSES)),
}
CASES = [(name, kind) for name in metrics for kind in metrics.kinds(name)]


def _with_deviation(packed, deviation):
    return PackedPredictions(packed.label, packed.prediction, packed.target, packed.labels, deviation)


@pytest.mark.parametrize(("name", "kind"), CASES)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    values=st.integers(0, 120),
    labels=st.integers(1, 9),
    levels=st.sampled_from([1, 8, 40]),
)
def test_equals_the_reference(name, kind, seed, values, labels, levels):
    packed = _with_deviation(random_packed(kind, seed, values, labels, levels), np.full(labels, 3.0))
    result = metrics[name](packed)
    assert result.dtype == np.float64
    assert result.shape == (labels,)
    defined, reference = REFERENCES[name]
    for label in range(labels):
        prediction, target = (dense(v, packed, label) for v in (packed.prediction, packed.target))
        if len(target) == 0 or not defined(prediction, target):
            assert np.isnan(result[label])
        else:
            assert result[label] == pytest.approx(reference(prediction, target), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("name", "kind"), CASES)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_depends_neither_on_the_order_nor_on_other_labels(name, kind, seed):
    packed = random_packed(kind, seed, 60, 5, 8)
    order = np.random.default_rng(seed).permutation(60)
    shuffled = PackedPredictions(packed.label[order], packed.prediction[order], packed.target[order], 5)
    only = packed.label == 2
    alone = PackedPredictions(packed.label[only] - 2, packed.prediction[only], packed.target[only], 1)
    result = metrics[name](packed)
    np.testing.assert_allclose(metrics[name](shuffled), result, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(metrics[name](alone), result[2:3], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_nan_prediction_spoils_its_label_only(name, kind):
    packed = random_packed(kind, 3, 200, 4, 8)
    prediction = packed.prediction.copy()
    prediction[np.flatnonzero(packed.label == 1)[0]] = np.nan
    spoilt = metrics[name](PackedPredictions(packed.label, prediction, packed.target, 4))
    kept = [0, 2, 3]
    assert np.isnan(spoilt[1])
    np.testing.assert_array_equal(spoilt[kept], metrics[name](packed)[kept])
    assert np.isfinite(spoilt[kept]).all()


def test_every_metric_has_a_reference_and_a_direction():
    assert set(REFERENCES) == set(metrics)
    assert not metrics.greater_is_better("mae")
    assert metrics.greater_is_better("auroc")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_sort_key_orders_as_the_floats_do(values):
    values = np.array(values, np.float32)
    key = sort_key(np.zeros(len(values), np.int32), values)
    np.testing.assert_array_equal(rankdata(key), rankdata(values))


def test_nearly_constant_values_are_told_from_constant_ones():
    label = np.zeros(3, np.int32)
    near = np.array([1.0, 1.0, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    same = np.full(3, np.float32(0.1))
    assert np.isnan(metrics["pearson"](PackedPredictions(label, near, same, 1))[0])
    assert metrics["pearson"](PackedPredictions(label, near, near, 1))[0] == pytest.approx(1)
