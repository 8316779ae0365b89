"""The plots of a task's predictions on the test part: parity, or ROC, precision-recall and reliability."""

import numpy as np
from numpy.typing import NDArray

from molfound.training.report.content import TaskContent
from molfound.training.report.kept_predictions import KeptPredictions
from molfound.training.report.plots import (
    precision_recall_plot,
    reliability_plot,
    roc_plot,
    scatter_plot,
)
from molfound.training.report.rates import precision_recall_curve, reliability, roc_curve

PARITY_PLOTS = 12
CURVES = 100  # of a plot


def prediction_plots(task: TaskContent) -> list[str]:
    """Return the plots of a task: of the labels with the most values, at most so many that a page can hold them."""
    predictions = task.predictions
    if predictions is None:
        return []
    counts = predictions.counts()
    if task.kind != "regression":
        return _ranking_plots(task, predictions, counts)
    labels = _fullest(counts.sum(1), PARITY_PLOTS)
    plots = []
    for label, (_, prediction, target) in zip(labels, predictions.of_labels(labels, counts), strict=True):
        title, values = f"{task.labels[label]}, test", (target.astype(np.float64), prediction.astype(np.float64))
        plots.append(scatter_plot(title, *values, x_label="target", y_label="prediction"))
    return plots


def _ranking_plots(task: TaskContent, predictions: KeptPredictions, counts: NDArray[np.int64]) -> list[str]:
    labels = _fullest(counts.min(1), CURVES)
    if not labels:
        return []
    some = f", {len(labels)} of {len(task.labels)} labels" if len(labels) < len(task.labels) else ""
    roc, precision_recall = {}, {}
    for label, (_, prediction, target) in zip(labels, predictions.of_labels(labels, counts), strict=True):
        values = target.astype(np.float64), prediction.astype(np.float64)
        roc[task.labels[label]], precision_recall[task.labels[label]] = (
            roc_curve(*values),
            precision_recall_curve(*values),
        )
    every_value = ((values.target, values.prediction) for values in predictions.pieces())
    return [
        roc_plot(f"ROC, test{some}", roc),
        precision_recall_plot(f"precision-recall, test{some}", precision_recall),
        reliability_plot("reliability of all values, test", *reliability(every_value)),
    ]


def _fullest(values: NDArray[np.int64], most: int) -> list[int]:
    """Return the labels with the most values, those without any left out, in the order of the task."""
    order = np.argsort(-values, kind="stable")[:most]
    return sorted(int(label) for label in order if values[label] > 0)
