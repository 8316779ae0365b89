"""Every registered metric against scikit-learn and scipy, on random sparse labels with ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn import metrics as sklearn_metrics

from molfound.tasks.metrics import metrics
from molfound.tasks.packed import PackedPredictions, ordered_bits, values_of_bits
from tests.tasks.examples import dense, random_packed

CLASSES = [0, 1, 2, 3]


def _two_classes(target):
    return len(np.unique(target)) >= 2


def _both_vary(prediction, target):
    return len(np.unique(prediction)) > 1 and len(np.unique(target)) > 1


def _accuracy(prediction, target):
    predicted = prediction.argmax(1) if prediction.ndim == 2 else prediction > 0
    return sklearn_metrics.accuracy_score(target, predicted)


def _auroc(prediction, target):
    if prediction.ndim == 1:
        return sklearn_metrics.roc_auc_score(target, prediction)
    if len(np.unique(target)) == len(CLASSES):
        probability = softmax(prediction, 1).astype(np.float32)
        return sklearn_metrics.roc_auc_score(target, probability, multi_class="ovr", average="macro")
    return _over_present_classes(sklearn_metrics.roc_auc_score, prediction, target)


def _ap(prediction, target):
    if prediction.ndim == 1:
        return sklearn_metrics.average_precision_score(target, prediction)
    return _over_present_classes(sklearn_metrics.average_precision_score, prediction, target)


def _over_present_classes(score, prediction, target):
    probability = softmax(prediction, 1).astype(np.float32)
    return np.mean([score(target == c, probability[:, int(c)]) for c in np.unique(target)])


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
    "auroc": (lambda p, t: _two_classes(t), _auroc),
    "ap": (lambda p, t: _two_classes(t), _ap),
    "precision": (lambda p, t: (p > 0).any(), lambda p, t: sklearn_metrics.precision_score(t, p > 0)),
    "recall": (lambda p, t: (t == 1).any(), lambda p, t: sklearn_metrics.recall_score(t, p > 0)),
    "f1": (lambda p, t: (p > 0).any() or (t == 1).any(), lambda p, t: sklearn_metrics.f1_score(t, p > 0)),
    "mcc": (
        lambda p, t: _two_classes(t) and len(np.unique(p > 0)) == 2,
        lambda p, t: sklearn_metrics.matthews_corrcoef(t, p > 0),
    ),
    "bce": (lambda p, t: True, lambda p, t: sklearn_metrics.log_loss(t, expit(p), labels=[0, 1])),
    "accuracy": (lambda p, t: True, _accuracy),
    "cross_entropy": (lambda p, t: True, lambda p, t: sklearn_metrics.log_loss(t, softmax(p, 1), labels=CLASSES)),
}
CASES = [(name, kind) for name in metrics for kind in metrics.kinds(name)]


def _with_deviation(packed, deviation):
    return PackedPredictions(packed.label, packed.prediction, packed.target, packed.labels, deviation)


@pytest.mark.parametrize(("name", "kind"), CASES)
@settings(max_examples=25, deadline=None)
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
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_depends_neither_on_the_order_nor_on_other_labels_to_the_last_bit(name, kind, seed):
    packed = random_packed(kind, seed, 60, 5, 8)
    order = np.random.default_rng(seed).permutation(60)
    shuffled = PackedPredictions.of(packed.label[order], packed.prediction[order], packed.target[order], 5)
    only = packed.label == 2
    alone = PackedPredictions.of(packed.label[only] - 2, packed.prediction[only], packed.target[only], 1)
    result = metrics[name](packed)
    np.testing.assert_array_equal(metrics[name](shuffled), result)
    np.testing.assert_array_equal(metrics[name](alone), result[2:3])


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_nan_prediction_spoils_its_label_only(name, kind):
    packed = random_packed(kind, 3, 200, 4, 8)
    prediction = packed.prediction.copy()
    prediction[np.flatnonzero(packed.label == 1)[0]] = np.nan
    spoilt = metrics[name](PackedPredictions.of(packed.label, prediction, packed.target, 4))
    kept = [0, 2, 3]
    assert np.isnan(spoilt[1])
    np.testing.assert_array_equal(spoilt[kept], metrics[name](packed)[kept])
    assert np.isfinite(spoilt[kept]).all()


@pytest.mark.parametrize("name", ["precision", "recall", "f1", "mcc"])
@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_calls_positive_above_the_threshold(name, threshold):
    packed = random_packed("binary", 5, 200, 1, 8)
    reference = {
        "precision": sklearn_metrics.precision_score,
        "recall": sklearn_metrics.recall_score,
        "f1": sklearn_metrics.f1_score,
        "mcc": sklearn_metrics.matthews_corrcoef,
    }[name]
    result = metrics[name](packed, threshold=threshold)[0]
    assert result == pytest.approx(reference(packed.target, expit(packed.prediction) > threshold))
    assert result != metrics[name](packed)[0]


def test_every_metric_has_a_reference_and_a_direction():
    assert set(REFERENCES) == set(metrics)
    assert not metrics.greater_is_better("mae")
    assert metrics.greater_is_better("auroc")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_bits_are_ordered_as_the_floats_are_and_lead_back_to_them(values):
    values = np.array(values, np.float32)
    bits = ordered_bits(values)
    np.testing.assert_array_equal(rankdata(bits), rankdata(values))
    np.testing.assert_array_equal(values_of_bits(bits), values)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["regression", "multiclass"]), values=st.integers(0, 80))
def test_packing_sorts_the_rows_and_changes_none(seed, kind, values):
    given = random_packed(kind, seed, values, 3, 2)
    order = np.random.default_rng(seed).permutation(values)
    packed = PackedPredictions.of(given.label[order], given.prediction[order], given.target[order], 3)
    assert _rows(packed) == sorted(_rows(given))


def _rows(packed):
    return list(zip(packed.label, *np.atleast_2d(packed.prediction.T), packed.target, strict=True))


def test_nearly_constant_values_are_told_from_constant_ones():
    label = np.zeros(3, np.int32)
    near = np.array([1.0, 1.0, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    same = np.full(3, np.float32(0.1))
    assert np.isnan(metrics["pearson"](PackedPredictions.of(label, near, same, 1))[0])
    assert metrics["pearson"](PackedPredictions.of(label, near, near, 1))[0] == pytest.approx(1)
