"""Metrics: pure functions from packed predictions to one value per label, many labels at once.

Each takes `PackedPredictions` and returns float64 [L]. A label for which a metric is undefined gets NaN: no value,
a NaN prediction, one class only where two are ranked, fewer than two different values where they are correlated, a
quotient of counts that is 0 / 0.
"""

import math
from collections.abc import Callable, Iterable
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from molfound.config.schema import Kind
from molfound.tasks.kinds import KINDS, KindRegistry
from molfound.tasks.packed import Floats, PackedPredictions, divide

Metric = Callable[..., Floats]
Threshold = Annotated[float, Field(gt=0, lt=1)]


class MetricRegistry(KindRegistry[Metric]):
    """A registry of metrics, which also knows whether more is better."""

    def __init__(self) -> None:
        super().__init__("metric")
        self._greater_is_better: dict[str, bool] = {}

    def register(
        self, name: str, *, kinds: Iterable[Kind] = KINDS, greater_is_better: bool = True
    ) -> Callable[[Metric], Metric]:
        """Return a decorator that registers a metric under `name`, for tasks of these kinds."""
        add = super().register(name, kinds=kinds)

        def add_with_direction(metric: Metric) -> Metric:
            registered = add(metric)
            self._greater_is_better[name] = greater_is_better
            return registered

        return add_with_direction

    def greater_is_better(self, name: str) -> bool:
        """Return whether a greater value is better; raises `MolfoundError` for an unknown name."""
        self[name]
        return self._greater_is_better[name]


metrics = MetricRegistry()


@metrics.register("mae", kinds=["regression"], greater_is_better=False)
def mae(packed: PackedPredictions) -> Floats:
    """Mean absolute error in normalised units, [L]."""
    return packed.mean(np.abs(_errors(packed)))


@metrics.register("mse", kinds=["regression"], greater_is_better=False)
def mse(packed: PackedPredictions) -> Floats:
    """Mean squared error in squared normalised units, [L]."""
    return packed.mean(_errors(packed) ** 2)


@metrics.register("rmse", kinds=["regression"], greater_is_better=False)
def rmse(packed: PackedPredictions) -> Floats:
    """Root of the mean squared error in normalised units, [L]."""
    return np.sqrt(mse(packed))


@metrics.register("mae_original", kinds=["regression"], greater_is_better=False)
def mae_original(packed: PackedPredictions) -> Floats:
    """Mean absolute error in each label's original unit, [L]."""
    return mae(packed) if packed.deviation is None else mae(packed) * packed.deviation


@metrics.register("rmse_original", kinds=["regression"], greater_is_better=False)
def rmse_original(packed: PackedPredictions) -> Floats:
    """Root of the mean squared error in each label's original unit, [L]."""
    return rmse(packed) if packed.deviation is None else rmse(packed) * packed.deviation


@metrics.register("r2", kinds=["regression"])
def r2(packed: PackedPredictions) -> Floats:
    """Coefficient of determination, 1 - residual / total sum of squares, [L]; NaN where the targets are all equal."""
    total = packed.total(packed.centred(packed.target) ** 2)
    score = 1 - divide(packed.total(_errors(packed) ** 2), total)
    return np.where(packed.varies(packed.target), score, np.nan)


@metrics.register("pearson", kinds=["regression"])
def pearson(packed: PackedPredictions) -> Floats:
    """Pearson's correlation, [L]; NaN where the targets or the predictions are all equal."""
    return _correlation(packed, packed.prediction, packed.target)


@metrics.register("spearman", kinds=["regression"])
def spearman(packed: PackedPredictions) -> Floats:
    """Spearman's rank correlation, [L]: Pearson's of the ranks, where equal values share their middle rank."""
    correlation = _correlation(packed, packed.ranks(packed.prediction), packed.ranks(packed.target))
    return np.where(packed.computable, correlation, np.nan)


@metrics.register("auroc", kinds=["binary", "multiclass"])
def auroc(packed: PackedPredictions) -> Floats:
    """Area under the receiver operating characteristic, [L]; NaN with one class only.

    It is the chance that a positive is ranked above a negative, a tie counting one half (Hanley & McNeil 1982). Of
    several classes: see `one_vs_rest`; as scikit-learn's `roc_auc_score(multi_class="ovr", average="macro")`.
    """
    if packed.prediction.ndim == 2:
        return one_vs_rest(auroc, packed)
    label, size, positive, below, positive_below = packed.tie_groups
    won = positive * (below - positive_below + (size - positive) / 2)
    positives = np.bincount(label, positive, packed.labels)
    pairs = positives * (packed.used - positives)
    return np.where(packed.computable, divide(np.bincount(label, won, packed.labels), pairs), np.nan)


@metrics.register("ap", kinds=["binary", "multiclass"])
def ap(packed: PackedPredictions) -> Floats:
    """Average precision, [L]: the precision at each distinct threshold weighted by the recall gained there.

    NaN with one class only. No interpolation, as in scikit-learn's `average_precision_score`. Of several classes: see
    `one_vs_rest`.
    """
    if packed.prediction.ndim == 2:
        return one_vs_rest(ap, packed)
    label, _, positive, below, positive_below = packed.tie_groups
    positives = np.bincount(label, positive, packed.labels)
    precision = (positives[label] - positive_below) / (packed.used[label] - below)
    score = divide(np.bincount(label, positive * precision, packed.labels), positives)
    return np.where(packed.computable & (positives < packed.used), score, np.nan)


def one_vs_rest(metric: Metric, packed: PackedPredictions) -> Floats:
    """Return the unweighted mean over classes of a binary metric that tells each class from all others, [L].

    A class is ranked by its probability in float32, as `predict` gives it. Classes that no target of the label has are
    left out, and so is one that all of them have; NaN where none is left.
    """
    logits = packed.prediction.astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    np.exp(logits, out=logits)
    probability = (logits / logits.sum(1, keepdims=True)).astype(np.float32)
    of_class = [(column, (packed.target == number).astype(np.float32)) for number, column in enumerate(probability.T)]
    scores = np.stack([metric(PackedPredictions.of(packed.label, *pair, packed.labels)) for pair in of_class])
    defined = ~np.isnan(scores)
    return divide(np.where(defined, scores, 0).sum(0), defined.sum(0))


class Confusion(NamedTuple):
    """How many targets of each label are right and wrong, float64 [L], NaN for a label that cannot be computed."""

    true_positive: Floats
    false_positive: Floats
    false_negative: Floats
    true_negative: Floats


def confusion(packed: PackedPredictions, threshold: float) -> Confusion:
    """Return the confusion of each label, a probability above the threshold, in 0 … 1, being called positive."""
    called = packed.prediction > np.float64(math.log(threshold / (1 - threshold)))
    positive = packed.target > 0.5
    hits = np.where(packed.computable, packed.total(called & positive), np.nan)
    calls, positives = packed.total(called), packed.total(positive)
    return Confusion(hits, calls - hits, positives - hits, packed.used - calls - positives + hits)


@metrics.register("precision", kinds=["binary"])
def precision(packed: PackedPredictions, *, threshold: Threshold = 0.5) -> Floats:
    """Share of positives among what is called positive, [L]; NaN where nothing is called positive."""
    right, wrong, _, _ = confusion(packed, threshold)
    return divide(right, right + wrong)


@metrics.register("recall", kinds=["binary"])
def recall(packed: PackedPredictions, *, threshold: Threshold = 0.5) -> Floats:
    """Share of the positives that are called positive, [L]; NaN without positives."""
    right, _, missed, _ = confusion(packed, threshold)
    return divide(right, right + missed)


@metrics.register("f1", kinds=["binary"])
def f1(packed: PackedPredictions, *, threshold: Threshold = 0.5) -> Floats:
    """Harmonic mean of precision and recall, [L]; NaN where nothing is positive or called so."""
    right, wrong, missed, _ = confusion(packed, threshold)
    return divide(2 * right, 2 * right + wrong + missed)


@metrics.register("mcc", kinds=["binary"])
def mcc(packed: PackedPredictions, *, threshold: Threshold = 0.5) -> Floats:
    """Matthews' correlation coefficient, [L] (Matthews 1975); NaN where all targets or all calls are the same."""
    right, wrong, missed, rejected = confusion(packed, threshold)
    scale = np.sqrt(right + wrong) * np.sqrt(right + missed) * np.sqrt(rejected + wrong) * np.sqrt(rejected + missed)
    return divide(right * rejected - wrong * missed, scale)


@metrics.register("bce", kinds=["binary"], greater_is_better=False)
def bce(packed: PackedPredictions) -> Floats:
    """Binary cross-entropy in nats, [L], the predictions being logits."""
    logit = packed.prediction.astype(np.float64)
    return packed.mean(np.maximum(logit, 0) - logit * packed.target + np.log1p(np.exp(-np.abs(logit))))


@metrics.register("accuracy", kinds=["binary", "multiclass"])
def accuracy(packed: PackedPredictions) -> Floats:
    """Share of predictions whose most probable class is the target's, [L]; a logit of 0 counts as the negative."""
    several = packed.prediction.ndim == 2
    predicted = packed.prediction.argmax(1) if several else packed.prediction > 0
    return np.where(packed.computable, packed.mean(predicted == packed.target), np.nan)


@metrics.register("cross_entropy", kinds=["multiclass"], greater_is_better=False)
def cross_entropy(packed: PackedPredictions) -> Floats:
    """Cross-entropy in nats, [L], the predictions being logits [V, classes]."""
    logits = packed.prediction.astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    chosen = np.take_along_axis(logits, packed.target.astype(np.int64)[:, None], 1)[:, 0]
    return packed.mean(np.log(np.exp(logits).sum(1)) - chosen)


def _errors(packed: PackedPredictions) -> Floats:
    return packed.prediction.astype(np.float64) - packed.target


def _correlation(packed: PackedPredictions, first: NDArray[np.floating], second: NDArray[np.floating]) -> Floats:
    a, b = packed.centred(first), packed.centred(second)
    scale = np.sqrt(packed.total(a * a)) * np.sqrt(packed.total(b * b))
    defined = packed.varies(first) & packed.varies(second)
    return np.where(defined, np.clip(divide(packed.total(a * b), scale), -1, 1), np.nan)
