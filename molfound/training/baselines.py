"""Baselines on the model's own rows: the training mean, and what all the others share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from molfound.config.component import Component
from molfound.config.schema import Kind
from molfound.tasks.label_summary import LabelSummary, class_count
from molfound.tasks.normalization import Normalizer
from molfound.tasks.packed import Floats, divide
from molfound.tasks.task import Task
from molfound.tasks.task_metrics import MEMORY, TaskMetrics

LEAST_PROBABILITY = 1e-6


class LabelPairs(NamedTuple):
    """The labels of a part that are there: the number of each, int64 [V], and its value, [V], in original units."""

    label: NDArray[np.int64]
    values: NDArray[np.floating]


@dataclass(frozen=True)
class LabelledMolecules:
    """Molecules of a part with one task's labels in a dense table, so for parts whose table fits into memory.

    Attributes:
        smiles: accepted SMILES.
        labels: [R, L], NaN where missing, original units; a row is a molecule or, at node level, an atom: all atoms of
            the first molecule in SMILES order, then those of the second, and so on.
    """

    smiles: Sequence[str]
    labels: NDArray[np.floating]


def mean_scores(
    task: Task,
    train: LabelSummary,
    test: Iterable[LabelPairs],
    normalizer: Normalizer | None = None,
    *,
    memory: int = MEMORY,
) -> dict[str, float | None]:
    """Return the task's metrics on the test labels, mean over labels, if each is predicted by its training mean.

    Metrics, units and normalisation are the model's; None where a metric is undefined.

    Args:
        task: whose metrics and normalisation.
        train: summary of the training labels.
        test: the test labels, some at a time.
        normalizer: the model's; None: that of the training labels, which a model has that takes over none.
        memory: bytes of them that are held in memory, see `TaskMetrics`.
    """
    means = label_means(train, task.kind)
    return _scores_of_pieces(task, ((means[pairs.label], pairs) for pairs in test), train, normalizer, memory)


def label_means(train: LabelSummary, kind: Kind) -> Floats:
    """Return the training mean of each label, [L]: for a multiclass task the frequencies of the classes, [L, classes].

    Binary: the share of positives. NaN for a label without training values.
    """
    if kind == "multiclass" and train.classes is not None:
        return divide(train.classes, np.broadcast_to(train.count[:, None], train.classes.shape))
    return np.where(train.count > 0, train.mean, np.nan)


def label_by_label(
    labels: NDArray[np.floating],
    kind: Kind,
    classes: int | None,
    count: int,
    predicted: Callable[[int, NDArray[np.int64], Floats, Floats], Floats],
) -> Floats:
    """Return the predictions for so many molecules of what is fitted to each label alone.

    A label with fewer than two different training values is predicted by its mean.

    Args:
        labels: [R, L] of the training molecules, NaN where missing.
        kind: of the labels.
        classes: number of classes of a multiclass task.
        count: of the molecules to predict, R'.
        predicted: fits one label, given its number, the rows that have it, its values there and its mean (see
            `label_means`), and returns the predictions, [R'] or [R', classes].

    Returns:
        float64 [R', L], or [R', L, classes] for a multiclass task.
    """
    means = label_means(dense_summary(labels, kind, classes), kind)
    prediction = np.broadcast_to(means, (count, *means.shape)).copy()
    for label in range(labels.shape[1]):
        rows = np.flatnonzero(~np.isnan(labels[:, label]))
        values = labels[rows, label].astype(np.float64)
        if count and len(rows) and (values != values[0]).any():
            prediction[:, label] = predicted(label, rows, values, means[label])
    return prediction


def class_shares(model: Any, molecules: Any, mean: Floats) -> Floats:
    """Return the probability of class 1 that a classifier gives each molecule, [R], or of every class, [R, classes].

    Args:
        model: of scikit-learn, fitted to some of the classes.
        molecules: what it takes.
        mean: of the label, see `label_means`: a number, or as many as there are classes.
    """
    found = np.zeros((molecules.shape[0], len(mean) if np.ndim(mean) else 2))
    found[:, model.classes_] = model.predict_proba(molecules)
    return found if np.ndim(mean) else found[:, 1]


def dense_pairs(labels: NDArray[np.floating]) -> LabelPairs:
    """Return the present labels of a dense table [R, L]."""
    row, label = np.nonzero(~np.isnan(labels))
    return LabelPairs(label, labels[row, label])


def dense_summary(labels: NDArray[np.floating], kind: Kind, classes: int | None) -> LabelSummary:
    """Return the summary of the present labels of a dense table [R, L]."""
    return LabelSummary.of(*dense_pairs(labels), labels.shape[1], class_count(kind, classes))


def dense_scores(
    task: Task,
    prediction: Floats,
    train: NDArray[np.floating],
    test: NDArray[np.floating],
    normalizer: Normalizer | None = None,
) -> dict[str, float | None]:
    """Return the metrics of predictions of the test labels, [R', L] or [R', L, classes] in original units or shares.

    Of a label without training values nothing is predicted (NaN), and its values do not count. Without a normaliser,
    that of the training labels serves.

    Args:
        task: whose metrics.
        prediction: of all test rows and labels.
        train: training labels, [R, L], NaN where missing.
        test: test labels, [R', L], NaN where missing.
        normalizer: the model's, or None.
    """
    place, label = np.nonzero(~np.isnan(test))
    summary = dense_summary(train, task.kind, task.classes)
    return _scores_of_pieces(task, [(prediction[place, label], dense_pairs(test))], summary, normalizer)


def _scores_of_pieces(
    task: Task,
    pieces: Iterable[tuple[Floats, LabelPairs]],
    train: LabelSummary,
    normalizer: Normalizer | None,
    memory: int = MEMORY,
) -> dict[str, float | None]:
    """Return the metrics of predictions and test labels that come some at a time, see `dense_scores`."""
    if normalizer is None and task.kind == "regression" and task.normalize != "none":
        normalizer = Normalizer.of(train, task.labels)
    means = collected_predictions(task, map(_known, pieces), normalizer, memory).compute().mean
    return {metric: None if np.isnan(value) else value for metric, value in means.items()}


def collected_predictions(
    task: Task, pieces: Iterable[tuple[Floats, LabelPairs]], normalizer: Normalizer | None, memory: int = MEMORY
) -> TaskMetrics:
    """Return the metrics of predictions, [V] or [V, classes] in original units or shares, beside the labels they meet.

    Args:
        task: whose metrics.
        pieces: predictions and labels, some at a time.
        normalizer: the units of the metrics, of a task that is normalised.
        memory: bytes held in memory.
    """
    if task.kind != "regression" or task.normalize == "none":
        normalizer = None
    # Without a variance, whatever the task's loss asks a head for.
    measured = replace(task, loss=Component("mse")) if task.predicts_variance else task
    metrics = TaskMetrics(measured, normalizer, memory=memory)
    for prediction, (label, targets) in pieces:
        metrics.add(*_in_metric_units(task, label, prediction, targets, normalizer))
    return metrics


def _known(piece: tuple[Floats, LabelPairs]) -> tuple[Floats, LabelPairs]:
    """Return what is predicted of a piece: where a baseline says nothing, it is NaN, and does not count."""
    prediction, (label, targets) = piece
    known = ~np.isnan(prediction) if prediction.ndim == 1 else ~np.isnan(prediction).any(1)
    return prediction[known], LabelPairs(label[known], targets[known])


def _in_metric_units(
    task: Task, label: NDArray[np.int64], values: Floats, targets: NDArray[np.floating], normalizer: Normalizer | None
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return predictions and targets as the model's metrics take them: normalised units, or logits and classes."""
    goals = targets.astype(np.float64)
    if normalizer is not None:
        mean, deviation = (tensor.double().cpu().numpy() for tensor in (normalizer.mean, normalizer.deviation))
        values, goals = (values - mean[label]) / deviation[label], (goals - mean[label]) / deviation[label]
    elif task.kind == "binary":
        share = np.clip(values, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        values = np.log(share) - np.log1p(-share)
    elif task.kind == "multiclass":
        values = np.log(np.clip(values, LEAST_PROBABILITY, 1))
    return label, values, goals
