"""The plots of a task's predictions on the test part: parity, or ROC, precision-recall and reliability."""

import numpy as np

from molfound.training.report.content import Predictions, TaskContent
from molfound.training.report.plots import (
    precision_recall_plot,
    reliability_plot,
    roc_plot,
    scatter_plot,
)
from molfound.training.report.rates import Values, precision_recall_curve, reliability, roc_curve

PARITY_PLOTS = 12
CURVES = 100  # of a plot


def prediction_plots(task: TaskContent) -> list[str]:
    """Return the plots of a task: of the labels with the most values, at most so many that a page can hold them."""
    predictions = task.predictions
    if predictions is None:
        return []
    if task.kind == "regression":
        return [
            scatter_plot(
                f"{predictions.names[label]}, test",
                *_of_label(predictions, label),
                x_label="target",
                y_label="prediction",
            )
            for label in _fullest(np.bincount(predictions.label), PARITY_PLOTS)
        ]
    return _ranking_plots(task, predictions)


def _ranking_plots(task: TaskContent, predictions: Predictions) -> list[str]:
    positive = predictions.target > 0.5
    of_class = [
        np.bincount(predictions.label[chosen], minlength=len(predictions.names)) for chosen in (positive, ~positive)
    ]
    labels = {predictions.names[label]: label for label in _fullest(np.minimum(*of_class), CURVES)}
    if not labels:
        return []
    some = f", {len(labels)} of {len(task.labels)} labels" if len(labels) < len(task.labels) else ""
    values = {name: _of_label(predictions, label) for name, label in labels.items()}
    return [
        roc_plot(f"ROC, test{some}", {name: roc_curve(*pair) for name, pair in values.items()}),
        precision_recall_plot(
            f"precision-recall, test{some}", {name: precision_recall_curve(*pair) for name, pair in values.items()}
        ),
        reliability_plot("reliability of all values, test", *reliability(predictions.target, predictions.prediction)),
    ]


def _of_label(predictions: Predictions, label: int) -> tuple[Values, Values]:
    rows = predictions.label == label
    return predictions.target[rows].astype(np.float64), predictions.prediction[rows].astype(np.float64)


def _fullest(values: np.ndarray, most: int) -> list[int]:
    """Return the labels with the most values, those without any left out, in the order of the task."""
    order = np.argsort(-values, kind="stable")[:most]
    return sorted(int(label) for label in order if values[label] > 0)
