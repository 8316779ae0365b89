"""The streaming state of a task's metrics, and the scores that come of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from molfound.tasks.metrics import metrics
from molfound.tasks.normalization import Normalizer
from molfound.tasks.packed import Floats, PackedPredictions
from molfound.tasks.task import Task

ORIGINAL_UNITS = {"mae": "mae_original", "rmse": "rmse_original"}


class TaskScores(NamedTuple):
    """The scores of one task.

    Attributes:
        values: metric name → float64 [L], NaN where undefined.
        used: int64 [L], how many values each label had.
    """

    values: Mapping[str, Floats]
    used: NDArray[np.int64]

    @property
    def mean(self) -> dict[str, float]:
        """Metric name → mean over the labels for which it is defined; NaN if there is none."""
        return {name: _mean_defined(values) for name, values in self.values.items()}

    @property
    def undefined(self) -> dict[str, int]:
        """Metric name → for how many labels it is undefined."""
        return {name: int(np.isnan(values).sum()) for name, values in self.values.items()}

    def to_dict(self, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what JSON holds: metric → mean, values by label, values used by label, undefined; None for NaN."""
        mean, undefined = self.mean, self.undefined
        used = dict(zip(labels, self.used.tolist(), strict=True))
        return {
            name: {
                "mean": _none_for_nan(mean[name]),
                "labels": {label: _none_for_nan(v) for label, v in zip(labels, values.tolist(), strict=True)},
                "used": used,
                "undefined": undefined[name],
            }
            for name, values in self.values.items()
        }


class TaskMetrics(Metric):
    """Collects a task's predictions where labels are and computes its metrics, for all labels at once.

    Predictions are what the head gives, targets what the loss takes: normalised units, or logits and 0/1 or class
    numbers. So `bce` applies the sigmoid itself, and rankings are those of the logits. Where labels are normalised,
    `mae` and `rmse` are accompanied by `mae_original` and `rmse_original`. Held are 12 bytes per present label
    (8 + 4 * classes for a multiclass task); states merge across processes as those of any torchmetrics metric.

    Args:
        task: names the metrics and the labels.
        normalizer: the task's; None: labels are in their original units.
        **kwargs: torchmetrics' own (`sync_on_compute`, `compute_on_cpu`, …).

    Example:
        >>> from molfound.tasks.resolve import make_task
        >>> task = make_task("toy", "toy", "graph", "binary", ["a", "b"])
        >>> scores = TaskMetrics(task)
        >>> scores.update(torch.tensor([[2.0, 1.0], [-1.0, 0.0]]), torch.tensor([[1.0, float("nan")], [0.0, 1.0]]))
        >>> scores.compute().to_dict(task.labels)["auroc"]
        {'mean': 1.0, 'labels': {'a': 1.0, 'b': None}, 'used': {'a': 2, 'b': 1}, 'undefined': 1}
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = None
    label: list[Tensor] | Tensor
    prediction: list[Tensor] | Tensor
    target: list[Tensor] | Tensor

    def __init__(self, task: Task, normalizer: Normalizer | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task = task
        self.deviation = None if normalizer is None else normalizer.deviation.cpu().double().numpy()
        for state in ("label", "prediction", "target"):
            self.add_state(state, default=[], dist_reduce_fx="cat")
        self._add_nothing()

    def reset(self) -> None:
        """Forget all predictions."""
        super().reset()
        self._add_nothing()

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: predictions [R, L] or [R, L, classes], targets [R, L], NaN where missing."""
        present = ~target.isnan()
        self._append(present.nonzero()[:, 1].int(), prediction.detach()[present].float(), target[present].float())

    def compute(self) -> TaskScores:
        """Return the scores of everything added; a metric of a label without what it needs is NaN."""
        return task_scores(self.task, self.packed())

    def packed(self) -> PackedPredictions:
        """Return the predictions held, on all processes if the states are synchronised."""
        label, prediction, target = (dim_zero_cat(s).cpu().numpy() for s in (self.label, self.prediction, self.target))
        return PackedPredictions(label, prediction, target, len(self.task.labels), self.deviation)

    def _add_nothing(self) -> None:
        # A process without any label must still bring tensors of the right type and rank to the others.
        classes = () if self.task.classes is None else (self.task.classes,)
        nothing = torch.empty(0, device=self.device)
        self._append(nothing.int(), nothing.new_empty(0, *classes), nothing)

    def _append(self, label: Tensor, prediction: Tensor, target: Tensor) -> None:
        for state, values in ((self.label, label), (self.prediction, prediction), (self.target, target)):
            assert isinstance(state, list)
            state.append(values)


def task_scores(task: Task, packed: PackedPredictions) -> TaskScores:
    """Return the scores of packed predictions by the task's metrics and, if it is normalised, in original units too."""
    components = reported_metrics(task)
    # A diverged model predicts infinities: its metrics are NaN, which is an answer and not worth a warning.
    with np.errstate(invalid="ignore", over="ignore"):
        values = {name: metrics[name](packed, **metrics.check(name, given)) for name, given in components.items()}
    return TaskScores(values, packed.used)


def reported_metrics(task: Task) -> dict[str, dict[str, Any]]:
    """Return the options of each metric of a task and, if it is normalised, of those in original units too."""
    components = {metric.name: metric.options for metric in task.metrics}
    if task.normalize != "none":
        for name in [name for name in components if name in ORIGINAL_UNITS]:
            components.setdefault(ORIGINAL_UNITS[name], {})
    return components


def _mean_defined(values: Floats) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _none_for_nan(value: float) -> float | None:
    return None if np.isnan(value) else value
