"""Gradient-boosted trees on Morgan counts: a baseline that knows the fragments of a molecule and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from molfound.chem.fingerprints import molecule_counts
from molfound.config.schema import Kind
from molfound.tasks.normalization import Normalizer
from molfound.tasks.packed import Floats
from molfound.tasks.task import Task
from molfound.training.baselines import (
    LabelledMolecules,
    class_shares,
    dense_scores,
    label_by_label,
)

MOST = np.iinfo(np.uint8).max  # a fragment that occurs more often than that tells nothing more


@dataclass(frozen=True)
class Boosting:
    """How trees are boosted (Friedman 2001; in histograms, Ke et al. 2017).

    Attributes:
        trees: number of trees, one after the other; of a multiclass label so many for each class.
        rate: share of a tree's correction that is taken.
        leaves: most leaves of a tree.
        min_samples_leaf: least training rows in a leaf.
        column_share: of the columns, from which a split chooses.
        columns: as many columns of the counts are read, those that occur in the most training molecules. The matrix is
            dense: 8 bytes for each column and molecule.
        seed: of the columns that a split chooses from.
    """

    trees: int = 100
    rate: float = 0.1
    leaves: int = 15
    min_samples_leaf: int = 5
    column_share: float = 0.3
    columns: int = 512
    seed: int = 0


def boosting_scores(
    task: Task,
    train: LabelledMolecules,
    test: LabelledMolecules,
    boosting: Boosting,
    normalizer: Normalizer | None = None,
) -> dict[str, float | None]:
    """Return the task's metrics on the test labels, mean over labels, if boosted trees predict.

    See `molfound.training.baselines.mean_scores`.

    Args:
        task: at graph level.
        train: training molecules.
        test: those to predict.
        boosting: how the trees are grown.
        normalizer: the model's; None: that of the training labels.
    """
    prediction = boosting_predictions(
        train.smiles, train.labels, test.smiles, task.kind, classes=task.classes, boosting=boosting
    )
    return dense_scores(task, prediction, train.labels, test.labels, normalizer)


def boosting_predictions(
    train_smiles: Sequence[str],
    train_labels: NDArray[np.floating],
    test_smiles: Sequence[str],
    kind: Kind,
    *,
    classes: int | None = None,
    boosting: Boosting | None = None,
) -> Floats:
    """Return what boosted trees on Morgan counts (radius 2, 2,048 columns) predict: original units or probabilities.

    Each label has trees of its own, grown on the molecules that have it. A label with fewer than two different training
    values is predicted by its mean.

    Args:
        train_smiles: training molecules.
        train_labels: [R, L], NaN where missing, original units.
        test_smiles: molecules to predict.
        kind: of the labels.
        classes: number of classes of a multiclass task.
        boosting: how the trees are grown.

    Returns:
        float64 [R', L], or [R', L, classes] for a multiclass task.

    Example:
        >>> chains = ["C" * length for length in range(1, 31)]
        >>> lengths = np.arange(1.0, 31.0)[:, None]
        >>> (short,), (long,) = boosting_predictions(chains, lengths, ["CC", "C" * 25], "regression")
        >>> bool(short < 5 and long > 20)
        True
    """
    boosting = boosting or Boosting()
    train, test = _frequent_columns(molecule_counts(train_smiles), molecule_counts(test_smiles), boosting.columns)

    def predicted(label: int, rows: NDArray[np.int64], values: Floats, mean: Floats) -> Floats:
        return _predicted(train[rows], values, test, mean, kind, boosting)

    return label_by_label(train_labels, kind, classes, len(test_smiles), predicted)


def _frequent_columns(train: csr_matrix, test: csr_matrix, columns: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the columns that are not zero in the most training molecules, the first of equals, as dense counts."""
    molecules = np.bincount(train.indices, minlength=train.shape[1])
    chosen = np.sort(np.argsort(-molecules, kind="stable")[:columns])
    found = [np.minimum(matrix[:, chosen].toarray(), MOST).astype(np.uint8) for matrix in (train, test)]
    return found[0], found[1]


def _predicted(
    train: NDArray[np.uint8],
    values: Floats,
    test: NDArray[np.uint8],
    mean: Floats,
    kind: Kind,
    boosting: Boosting,
) -> Floats:
    """Return what trees grown on one label predict: numbers [R'], or of classes [R'] or [R', classes]."""
    options = {
        "max_iter": boosting.trees,
        "learning_rate": boosting.rate,
        "max_leaf_nodes": boosting.leaves,
        "min_samples_leaf": boosting.min_samples_leaf,
        "max_features": boosting.column_share,
        "random_state": boosting.seed,
        "early_stopping": False,  # which would take a tenth of the rows out of the training
    }
    if kind == "regression":
        predicted: Floats = HistGradientBoostingRegressor(**options).fit(train, values).predict(test)
        return predicted
    return class_shares(HistGradientBoostingClassifier(**options).fit(train, values.astype(np.int64)), test, mean)
