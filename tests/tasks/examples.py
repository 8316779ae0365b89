"""Tasks and random sparse labels that the tests of this folder share."""

import numpy as np
from numpy.typing import NDArray

from molfound.config.schema import Kind
from molfound.tasks.label_summary import LabelSummary
from molfound.tasks.normalization import Normalizer
from molfound.tasks.packed import PackedPredictions
from molfound.tasks.resolve import make_task
from molfound.tasks.task import Task


def task_of(kind: Kind, labels: int = 3, **options: object) -> Task:
    classes = {"classes": 4} if kind == "multiclass" else {}
    return make_task("toy", "toy", "graph", kind, [f"label{i}" for i in range(labels)], **(classes | options))


def random_packed(kind: Kind, seed: int, values: int, labels: int, levels: int) -> PackedPredictions:
    """Return random values on a grid of `levels` steps, so that ties, absent labels and single classes are common."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, labels, values).astype(np.int32)
    shape = (values, 4) if kind == "multiclass" else (values,)
    prediction = (rng.integers(-levels, levels + 1, shape) / 4).astype(np.float32)
    target = {
        "regression": rng.integers(-levels, levels + 1, values) / 4,
        "binary": rng.random(values) < 0.4,
        "multiclass": rng.integers(0, 4, values),
    }[kind]
    return PackedPredictions.of(label, prediction, target.astype(np.float32), labels)


def dense(values: NDArray[np.float32], packed: PackedPredictions, label: int) -> NDArray[np.float64]:
    return values[packed.label == label].astype(np.float64)


def fitted_normalizer(label, values, names):
    """Return the normaliser of sparse (label, value) pairs."""
    return Normalizer.of(LabelSummary.of(label, values, len(names)), names)
