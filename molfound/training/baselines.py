"""Baselines on the model's own rows: the training mean, and random forests on Morgan counts."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from molfound.chem.fingerprints import atom_counts, molecule_counts
from molfound.config.component import Component
from molfound.config.schema import Kind, Level
from molfound.data.workers import available_cores
from molfound.tasks.label_summary import LabelSummary, class_count
from molfound.tasks.normalization import Normalizer
from molfound.tasks.packed import Floats, divide
from molfound.tasks.task import Task
from molfound.tasks.task_metrics import MEMORY, TaskMetrics, TaskScores

LEAST_PROBABILITY = 1e-6
SPLIT_SHARE = 1 / 3  # of the columns, from which a split of a regression chooses; of classes the square root
ATOM_ROWS = 5_000


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


@dataclass(frozen=True)
class Forest:
    """How a random forest is grown (Breiman 2001).

    Attributes:
        trees: number of trees.
        min_samples_leaf: least training rows in a leaf; 2 rather than 1 ranks rare classes far better.
        seed: of bootstrap samples and columns.
        jobs: threads; None: one per core at hand.
        max_rows: fit to so many labelled rows, drawn at random; None: all of a graph-level task, `ATOM_ROWS` atoms.
    """

    trees: int = 50
    min_samples_leaf: int = 2
    seed: int = 0
    jobs: int | None = None
    max_rows: int | None = None


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


def forest_scores(
    task: Task,
    train: LabelledMolecules,
    test: LabelledMolecules,
    forest: Forest,
    normalizer: Normalizer | None = None,
) -> dict[str, float | None]:
    """Return the task's metrics on the test labels, mean over labels, if random forests predict; see `mean_scores`.

    Raises:
        ValueError: a task of edges or pairs: the forest knows molecules and atoms.
    """
    prediction = forest_predictions(
        train.smiles, train.labels, test.smiles, task.level, task.kind, classes=task.classes, forest=forest
    )
    place, label = np.nonzero(~np.isnan(test.labels))
    train_labels = dense_summary(train.labels, task.kind, task.classes)
    return baseline_scores(task, prediction[place, label], train_labels, dense_pairs(test.labels), normalizer)


def label_means(train: LabelSummary, kind: Kind) -> Floats:
    """Return the training mean of each label, [L]: for a multiclass task the frequencies of the classes, [L, classes].

    Binary: the share of positives. NaN for a label without training values.
    """
    if kind == "multiclass" and train.classes is not None:
        return divide(train.classes, np.broadcast_to(train.count[:, None], train.classes.shape))
    return np.where(train.count > 0, train.mean, np.nan)


def forest_predictions(
    train_smiles: Sequence[str],
    train_labels: NDArray[np.floating],
    test_smiles: Sequence[str],
    level: Level,
    kind: Kind,
    *,
    classes: int | None = None,
    forest: Forest | None = None,
) -> Floats:
    """Return what random forests on Morgan counts predict: original units or probabilities.

    Graph level: counts of radius 2, 2,048 columns. Node level: the environments of radius 0 to 2 that an atom is the
    centre of, 1,024 columns. Regression labels that are present in the same rows share a multi-output forest; each
    label of classes has its own. A label with fewer than two different training values is predicted by its mean.

    Args:
        train_smiles: training molecules.
        train_labels: [R, L], see `LabelledMolecules`.
        test_smiles: molecules to predict.
        level: graph or node.
        kind: of the labels.
        classes: number of classes of a multiclass task.
        forest: how the forests are grown.

    Returns:
        float64 [R', L], or [R', L, classes] for a multiclass task.

    Raises:
        ValueError: another level, or labels whose rows are not the molecules' or their atoms'.
    """
    if level not in ("graph", "node"):
        raise ValueError(f"no forest at level {level}")
    forest = forest or Forest()
    counts = molecule_counts if level == "graph" else atom_counts
    train, test = counts(train_smiles), counts(test_smiles)
    if train.shape[0] != len(train_labels):
        raise ValueError(f"{len(train_labels)} rows of labels for {train.shape[0]} rows of level {level}")
    means = label_means(dense_summary(train_labels, kind, classes), kind)
    prediction = np.broadcast_to(means, (test.shape[0], *means.shape)).copy()
    groups = _label_groups(train_labels, kind) if test.shape[0] else []
    jobs = forest.jobs or available_cores()
    fit = _regression if kind == "regression" else _classes
    max_rows = forest.max_rows or (ATOM_ROWS if level == "node" else len(train_labels))

    def fill(labels: NDArray[np.int64]) -> None:
        rows = _present_rows(train_labels[:, labels], max_rows, seed=[forest.seed, int(labels[0])])
        options = {
            "n_estimators": forest.trees,
            "min_samples_leaf": forest.min_samples_leaf,
            "random_state": forest.seed + int(labels[0]),
            "n_jobs": max(1, jobs // len(groups)),
        }
        prediction[:, labels] = fit(
            train[rows], train_labels[np.ix_(rows, labels)], test, prediction[:, labels], options
        )

    # Threads serve: the trees are grown outside the interpreter's lock, and the matrices are shared.
    with ThreadPoolExecutor(min(jobs, max(len(groups), 1))) as pool:
        list(pool.map(fill, groups))
    return prediction


def _label_groups(labels: NDArray[np.floating], kind: Kind) -> list[NDArray[np.int64]]:
    """Return the labels that share a forest, without those that have no two different values."""
    present = ~np.isnan(labels)
    groups: dict[bytes, list[int]] = {}
    for label in range(labels.shape[1]):
        values = labels[present[:, label], label]
        if len(values) and (values != values[0]).any():
            key = np.packbits(present[:, label]).tobytes() if kind == "regression" else bytes(str(label), "ascii")
            groups.setdefault(key, []).append(label)
    return [np.array(members) for members in groups.values()]


def _present_rows(labels: NDArray[np.floating], max_rows: int, seed: list[int]) -> NDArray[np.int64]:
    rows = np.flatnonzero(~np.isnan(labels[:, 0]))
    if len(rows) > max_rows:
        rows = np.sort(np.random.default_rng(seed).choice(rows, max_rows, replace=False))
    return rows


def _regression(
    train: csr_matrix, labels: NDArray[np.floating], test: csr_matrix, mean: Floats, options: dict[str, Any]
) -> Floats:
    # A split of several outputs sums their variances, so that they must be on one scale.
    centre, scale = labels.mean(0), labels.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    forest = RandomForestRegressor(max_features=SPLIT_SHARE, **options)
    forest.fit(train, ((labels - centre) / scale).squeeze())
    prediction: Floats = forest.predict(test).reshape(mean.shape) * scale + centre
    return prediction


def _classes(
    train: csr_matrix, labels: NDArray[np.floating], test: csr_matrix, frequency: Floats, options: dict[str, Any]
) -> Floats:
    forest = RandomForestClassifier(max_features="sqrt", **options)
    forest.fit(train, labels[:, 0].astype(np.int64))
    found = np.zeros((test.shape[0], frequency.shape[2] if frequency.ndim == 3 else 2))
    found[:, forest.classes_] = forest.predict_proba(test)
    shares = found[:, None] if frequency.ndim == 3 else found[:, 1:]
    # One more tree that says the training frequency: no probability is 0 or 1, and no ranking changes.
    trees = options["n_estimators"]
    probability: Floats = (trees * shares + frequency) / (trees + 1)
    return probability


def dense_pairs(labels: NDArray[np.floating]) -> LabelPairs:
    """Return the present labels of a dense table [R, L]."""
    row, label = np.nonzero(~np.isnan(labels))
    return LabelPairs(label, labels[row, label])


def dense_summary(labels: NDArray[np.floating], kind: Kind, classes: int | None) -> LabelSummary:
    """Return the summary of the present labels of a dense table [R, L]."""
    return LabelSummary.of(*dense_pairs(labels), labels.shape[1], class_count(kind, classes))


def baseline_scores(
    task: Task, prediction: Floats, train: LabelSummary, test: LabelPairs, normalizer: Normalizer | None = None
) -> dict[str, float | None]:
    """Return the metrics of the predictions of the test labels, [V] or [V, classes] in original units or shares.

    Of a label without training values nothing is predicted (NaN), and its values do not count. Without a normaliser,
    that of the training labels serves.
    """
    return _scores_of_pieces(task, [(prediction, test)], train, normalizer)


def _scores_of_pieces(
    task: Task,
    pieces: Iterable[tuple[Floats, LabelPairs]],
    train: LabelSummary,
    normalizer: Normalizer | None,
    memory: int = MEMORY,
) -> dict[str, float | None]:
    """Return the metrics of predictions and test labels that come some at a time, see `baseline_scores`."""
    if normalizer is None and task.kind == "regression" and task.normalize != "none":
        normalizer = Normalizer.of(train, task.labels)
    means = prediction_scores(task, pieces, normalizer, memory).mean
    return {metric: None if np.isnan(value) else value for metric, value in means.items()}


def prediction_scores(
    task: Task, pieces: Iterable[tuple[Floats, LabelPairs]], normalizer: Normalizer | None, memory: int = MEMORY
) -> TaskScores:
    """Return the scores of predictions, [V] or [V, classes] in original units or shares, beside the labels they meet.

    Args:
        task: whose metrics.
        pieces: predictions and labels, some at a time; a prediction that is NaN does not count.
        normalizer: the units of the metrics, of a task that is normalised.
        memory: bytes held in memory.
    """
    if task.kind != "regression" or task.normalize == "none":
        normalizer = None
    # Without a variance, whatever the task's loss asks a head for.
    measured = replace(task, loss=Component("mse")) if task.predicts_variance else task
    metrics = TaskMetrics(measured, normalizer, memory=memory)
    for prediction, (label, targets) in pieces:
        known = ~np.isnan(prediction) if prediction.ndim == 1 else ~np.isnan(prediction).any(1)
        metrics.add(*_in_metric_units(task, label[known], prediction[known], targets[known], normalizer))
    return metrics.compute()


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
