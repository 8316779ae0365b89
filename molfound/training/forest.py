"""Random forests on Morgan counts, of molecules or atoms: a baseline that knows fragments and nothing else."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from molfound.chem.fingerprints import atom_counts, molecule_counts
from molfound.config.schema import Kind, Level
from molfound.data.workers import available_cores
from molfound.tasks.normalization import Normalizer
from molfound.tasks.packed import Floats
from molfound.tasks.task import Task
from molfound.training.baselines import LabelledMolecules, class_shares, dense_scores, dense_summary, label_means

SPLIT_SHARE = 1 / 3  # of the columns, from which a split of a regression chooses; of classes the square root
ATOM_ROWS = 5_000


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
    return dense_scores(task, prediction, train.labels, test.labels, normalizer)


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
    shares = class_shares(forest, test, frequency[0, 0]).reshape(frequency.shape)
    # One more tree that says the training frequency: no probability is 0 or 1, and no ranking changes.
    trees = options["n_estimators"]
    probability: Floats = (trees * shares + frequency) / (trees + 1)
    return probability
