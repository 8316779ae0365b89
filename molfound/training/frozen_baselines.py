"""Baselines on the frozen embeddings of a pretrained run: ridge or logistic regression, and nearest neighbours.

What a fine-tuning adds to what its encoder knew already is the distance to these (Alain and Bengio, "Understanding
intermediate layers using linear classifier probes", 2016).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from molfound.config.schema import FrozenBaseline, Kind
from molfound.data.batch import GraphBatch
from molfound.model import MolecularModel
from molfound.nn.readouts import pool
from molfound.tasks.normalization import Normalizer
from molfound.tasks.packed import Floats
from molfound.tasks.task import Task
from molfound.training.baselines import class_shares, dense_scores, label_by_label

PENALTIES = (1.0, 0.01, 0.1, 10.0, 100.0, 1000.0, 10000.0)
NEIGHBOURS = (5, 1, 3, 10, 20)


@dataclass(frozen=True)
class EmbeddedMolecules:
    """Molecules of a part with one task's labels.

    Attributes:
        embeddings: float32 [R, width].
        labels: [R, L], NaN where missing, original units.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.floating]


def embedded_molecules(model: MolecularModel, batches: Iterable[GraphBatch], task: Task) -> EmbeddedMolecules:
    """Return the molecules of batches of a task's dataset, embedded by a pretrained model in evaluation mode.

    An embedding is what the model's own heads read of a molecule; where it has none at graph level, the mean over its
    atoms.

    Args:
        model: the pretrained one.
        batches: with the labels of the task.
        task: at graph level.
    """
    device = next(model.parameters()).device
    trained = any(own.level == "graph" for own in model.tasks.values())
    embeddings: list[NDArray[np.float32]] = []
    labels = [np.empty((0, len(task.labels)), np.float32)]
    for batch in batches:
        moved = batch.to(device)
        with torch.no_grad():
            made = model.represent(moved)
            graphs = made.graphs if trained else pool(made.nodes, moved, "mean")
        assert graphs is not None
        embeddings.append(graphs.float().cpu().numpy())
        labels.append(batch.labels[task.name].numpy())
    stacked = np.concatenate(embeddings) if embeddings else np.empty((0, 0), np.float32)
    return EmbeddedMolecules(stacked, np.concatenate(labels))


def frozen_scores(
    baseline: FrozenBaseline,
    task: Task,
    parts: Mapping[str, EmbeddedMolecules],
    normalizer: Normalizer | None = None,
) -> dict[str, float | None]:
    """Return the task's metrics on the test labels, mean over labels, see `molfound.training.baselines.mean_scores`.

    Args:
        baseline: which one.
        task: at graph level.
        parts: train, val and test.
        normalizer: the model's; None: that of the training labels.
    """
    test = parts["test"]
    predictions = frozen_predictions(
        baseline, parts["train"], parts["val"], test.embeddings, task.kind, classes=task.classes
    )
    return dense_scores(task, predictions, parts["train"].labels, test.labels, normalizer)


def frozen_predictions(
    baseline: FrozenBaseline,
    train: EmbeddedMolecules,
    val: EmbeddedMolecules,
    test: NDArray[np.float32],
    kind: Kind,
    *,
    classes: int | None = None,
) -> Floats:
    """Return what a baseline predicts for embeddings: original units or probabilities.

    Embeddings are standardised over the molecules that have the label in the training part. Each label has a regression
    or neighbours of its own, with that penalty, or number of neighbours, of `PENALTIES` or `NEIGHBOURS` which has the
    least squared error or log loss on the validation part; where that has no value of the label, with the first. Near
    neighbours count more than far ones. A label with fewer than two different training values is predicted by its mean.

    Args:
        baseline: which one.
        train: training molecules.
        val: validation molecules.
        test: float32 [R', width], embeddings of those to predict.
        kind: of the labels.
        classes: number of classes of a multiclass task.

    Returns:
        float64 [R', L], or [R', L, classes] for a multiclass task.
    """

    def predicted(label: int, rows: NDArray[np.int64], values: Floats, mean: Floats) -> Floats:
        checked = ~np.isnan(val.labels[:, label])
        scaler = StandardScaler().fit(train.embeddings[rows].astype(np.float64))
        fitted = scaler.transform(train.embeddings[rows].astype(np.float64))
        candidates = [
            _fitted(baseline, setting, fitted, values, mean, kind) for setting in _settings(baseline, len(values))
        ]
        best = candidates[0]
        if checked.any():
            held_out = scaler.transform(val.embeddings[checked].astype(np.float64))
            targets = val.labels[checked, label].astype(np.float64)
            best = min(candidates, key=lambda candidate: _error(candidate(held_out), targets, kind))
        return best(scaler.transform(test.astype(np.float64)))

    return label_by_label(train.labels, kind, classes, len(test), predicted)


_Predictor = Callable[[Floats], Floats]


def _settings(baseline: FrozenBaseline, rows: int) -> list[float]:
    return list(PENALTIES) if baseline == "probe" else [count for count in NEIGHBOURS if count <= rows] or [rows]


def _fitted(
    baseline: FrozenBaseline, setting: float, embeddings: Floats, values: Floats, mean: Floats, kind: Kind
) -> _Predictor:
    """Return what predicts one label: numbers [R], or of classes the probability of class 1 or [R, classes] of each."""
    model: Any
    if kind == "regression":
        model = Ridge(alpha=setting) if baseline == "probe" else KNeighborsRegressor(int(setting), weights="distance")
        return model.fit(embeddings, values).predict  # type: ignore[no-any-return]
    if baseline == "probe":
        model = LogisticRegression(C=1 / setting, max_iter=1000)
    else:
        model = KNeighborsClassifier(int(setting), weights="distance")
    model.fit(embeddings, values.astype(np.int64))

    def probabilities(rows: Floats) -> Floats:
        shares = class_shares(model, rows, mean)
        if baseline == "probe":
            return shares
        # One more neighbour that says the training frequency: no probability is 0 or 1, and no ranking changes.
        return (setting * shares + mean) / (setting + 1)

    return probabilities


def _error(prediction: Floats, targets: Floats, kind: Kind) -> float:
    if kind == "regression":
        return float(mean_squared_error(targets, prediction))
    classes = np.arange(prediction.shape[1]) if prediction.ndim == 2 else np.arange(2)
    shares = prediction if prediction.ndim == 2 else np.stack([1 - prediction, prediction], axis=1)
    return float(log_loss(targets.astype(np.int64), shares, labels=classes))
