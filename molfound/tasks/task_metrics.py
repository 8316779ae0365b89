"""The streaming state of a task's metrics, and the scores that come of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from molfound.tasks.aggregation import reported_metrics
from molfound.tasks.collected import CollectedPredictions, LabelledRows, joined, label_ranges
from molfound.tasks.normalization import Normalizer
from molfound.tasks.packed import Floats, Ints, PackedPredictions, label_order
from molfound.tasks.task import Task

MEMORY = 1 << 30


class TaskScores(NamedTuple):
    """The scores of one task, or of a range of its labels.

    Attributes:
        values: metric name → float64 [L], NaN where undefined.
        used: int64 [L], how many values each label had.
        flattened: metric name → its value of all labels pooled, NaN where undefined.
    """

    values: Mapping[str, Floats]
    used: NDArray[np.int64]
    flattened: Mapping[str, float]

    @property
    def mean(self) -> dict[str, float]:
        """Metric name → mean over the labels for which it is defined, NaN if there is none; then the pooled values."""
        return {name: _mean_defined(values) for name, values in self.values.items()} | dict(self.flattened)

    @property
    def undefined(self) -> dict[str, int]:
        """Metric name → for how many labels it is undefined; 0 or 1 for a pooled value."""
        pooled = {name: int(np.isnan(value)) for name, value in self.flattened.items()}
        return {name: int(np.isnan(values).sum()) for name, values in self.values.items()} | pooled

    def to_dict(self, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what JSON holds: metric → mean, values by label, values used by label, undefined; None for NaN.

        A flattened metric has its value for a mean, and no labels.
        """
        mean, undefined = self.mean, self.undefined
        used = dict(zip(labels, self.used.tolist(), strict=True))
        by_label = {name: dict(zip(labels, values.tolist(), strict=True)) for name, values in self.values.items()}
        return {
            name: {
                "mean": _none_for_nan(mean[name]),
                "labels": {label: _none_for_nan(value) for label, value in by_label.get(name, {}).items()},
                "used": used if name in by_label else {},
                "undefined": undefined[name],
            }
            for name in mean
        }


class Block(NamedTuple):
    """The predictions of a range of a task's labels, `packed.label` counted from the range's first label on."""

    first: int
    packed: PackedPredictions


class TaskMetrics:
    """Collects a task's predictions where labels are and computes its metrics, for many labels at once.

    Predictions are what the head gives, targets what the loss takes: normalised units, or logits and 0/1 or class
    numbers. So `bce` applies the sigmoid itself, and rankings are those of the logits. Where labels are normalised,
    `mae` and `rmse` are accompanied by `mae_original` and `rmse_original`.

    Collected are 12 bytes per present label (8 + 4 * classes for a multiclass task, 16 with a variance), in memory up
    to a bound and in a temporary file past it. They are then worked on by ranges of labels, in the same ranges wherever
    they lay: scores are the same to the last bit from memory, from a file, from one process or several. A label with
    more values than a range holds is worked on at once, and so is a whole task where a metric is flattened: 60 bytes
    per value.

    Args:
        task: names the metrics and the labels.
        normalizer: the task's; None: labels are in their original units.
        memory: bytes of predictions that are held in memory.
        group: processes each of which adds predictions of its own; all of them must ask for scores, and get the same.
            None: this process alone.

    Example:
        >>> import torch
        >>> from molfound.tasks.resolve import make_task
        >>> task = make_task("toy", "toy", "graph", "binary", ["a", "b"])
        >>> scores = TaskMetrics(task)
        >>> scores.update(torch.tensor([[2.0, 1.0], [-1.0, 0.0]]), torch.tensor([[1.0, float("nan")], [0.0, 1.0]]))
        >>> scores.compute().to_dict(task.labels)["auroc"]
        {'mean': 1.0, 'labels': {'a': 1.0, 'b': None}, 'used': {'a': 2, 'b': 1}, 'undefined': 1}
    """

    def __init__(
        self,
        task: Task,
        normalizer: Normalizer | None = None,
        *,
        memory: int = MEMORY,
        group: dist.ProcessGroup | None = None,
    ) -> None:
        self.task, self.memory, self.group = task, memory, group
        self.deviation = None if normalizer is None else normalizer.deviation.cpu().double().numpy()
        self.reset()

    def reset(self) -> None:
        """Forget all predictions."""
        self.collected = CollectedPredictions(len(self.task.labels), self.task.numbers + 1)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: predictions as of a head, [R, L] or [R, L, classes], targets [R, L], NaN where missing.

        Raises:
            MolfoundError: the bound of memory is passed and the disk is full.
        """
        targets, predictions = (values.detach().float().cpu().contiguous().numpy() for values in (target, prediction))
        present = np.ascontiguousarray(~np.isnan(targets).T)
        place, rows_of_batch, labels = np.flatnonzero(present), *targets.shape
        label = np.repeat(np.arange(labels), np.count_nonzero(present, axis=1))
        cell = (place - label * rows_of_batch) * labels + label
        rows = np.empty((len(cell), self.collected.width), np.float32)
        rows[:, :-1] = predictions.reshape(-1, self.collected.width - 1)[cell]
        rows[:, -1] = targets.reshape(-1)[cell]
        self._add(LabelledRows(label.astype(np.int32), rows))

    def add(self, label: NDArray[np.integer], prediction: NDArray[np.floating], target: NDArray[np.floating]) -> None:
        """Add values of some labels in any order: predictions [V] or [V, classes], targets [V], no NaN among them.

        Raises:
            MolfoundError: the bound of memory is passed and the disk is full.
        """
        order = label_order(label.astype(np.int32))
        rows = np.empty((len(label), self.collected.width), np.float32)
        rows[:, :-1] = prediction.reshape(len(label), self.collected.width - 1)[order]
        rows[:, -1] = target[order]
        self._add(LabelledRows(label[order].astype(np.int32), rows))

    def _add(self, rows: LabelledRows) -> None:
        self.collected.add(rows)
        if self.collected.held > self.memory:
            self.spill()

    @property
    def held(self) -> int:
        """Bytes of predictions held in memory."""
        return self.collected.held

    def spill(self) -> None:
        """Move the predictions held in memory into a temporary file.

        Raises:
            MolfoundError: the disk is full.
        """
        self.collected.spill()

    def used(self) -> Ints:
        """Return how many values each label has, in all processes, int64 [L]."""
        used: Ints = np.sum(self._from_all(self.collected.used), axis=0)
        return used

    def blocks(self) -> Iterator[Block]:
        """Yield the predictions of all processes, range of labels after range."""
        for first, last in label_ranges(self.used(), self.collected.width):
            label, rows = joined(self._from_all(self.collected.read(first, last)), self.collected.width)
            deviation = None if self.deviation is None else self.deviation[first:last]
            yield Block(first, self._packed(label - np.int32(first), rows, last - first, deviation))

    def pooled(self) -> PackedPredictions:
        """Return all predictions of all processes as if they were one label's, in normalised units."""
        everything = self.collected.read(0, self.collected.labels)
        label, rows = joined(self._from_all(everything), self.collected.width)
        return self._packed(np.zeros_like(label), rows, 1, None)

    def compute(self) -> TaskScores:
        """Return the scores of everything added; a metric of a label without what it needs is NaN."""
        return self.complete([label_scores(self.task, block.packed) for block in self.blocks()])

    def complete(self, ranges: Sequence[TaskScores]) -> TaskScores:
        """Return the scores of the task, those of the ranges that `blocks` yields being known."""
        values = {name: np.concatenate([part.values[name] for part in ranges]) for name in ranges[0].values}
        flattened = flattened_scores(self.task, self.pooled()) if _has_flattened(self.task) else {}
        return TaskScores(values, np.concatenate([part.used for part in ranges]), flattened)

    def _packed(
        self, label: NDArray[np.int32], rows: NDArray[np.float32], labels: int, deviation: Floats | None
    ) -> PackedPredictions:
        prediction = rows[:, 0] if rows.shape[1] == 2 else rows[:, :-1]
        packed = PackedPredictions.of(label, prediction, rows[:, -1], labels, deviation)
        return packed.with_variance() if self.task.predicts_variance else packed

    def _from_all(self, mine: Any) -> list[Any]:
        """Return what each process gives, in the order of the processes."""
        if self.group is None:
            return [mine]
        given: list[Any] = [None] * dist.get_world_size(self.group)
        dist.all_gather_object(given, mine, self.group)
        return given


def label_scores(task: Task, packed: PackedPredictions) -> TaskScores:
    """Return the scores of packed predictions of some labels by the task's metrics, without the flattened ones."""
    # A diverged model predicts infinities: its metrics are NaN, which is an answer and not worth a warning.
    with np.errstate(invalid="ignore", over="ignore"):
        reported = reported_metrics(task).items()
        values = {name: metric.values(packed) for name, metric in reported if metric.aggregation == "mean"}
    return TaskScores(values, packed.used, {})


def flattened_scores(task: Task, pooled: PackedPredictions) -> dict[str, float]:
    """Return the task's flattened metrics, of predictions that are all of one label."""
    with np.errstate(invalid="ignore", over="ignore"):
        reported = reported_metrics(task).items()
        return {name: float(metric.values(pooled)[0]) for name, metric in reported if metric.aggregation == "flattened"}


def _has_flattened(task: Task) -> bool:
    return any(metric.aggregation == "flattened" for metric in reported_metrics(task).values())


def _mean_defined(values: Floats) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _none_for_nan(value: float) -> float | None:
    return None if np.isnan(value) else value
