"""AUROC and AP of 1,328 sparse labels at once, against torchmetrics label by label: time, memory, equal figures."""

import argparse
import resource
import statistics
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from measuring import alternate, report
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from molfound.config.component import Component
from molfound.tasks.resolve import make_task
from molfound.tasks.task_metrics import TaskMetrics, TaskScores

BATCH = 512
DENSITY = 0.11
SECONDS = 5.0
MEMORY_BYTES = 1e9
OBJECTS = 20.0  # times as fast as per-label objects
FUNCTIONS = 4.0  # times as fast as a loop over packed labels
TOLERANCE = 1e-6
UPDATED_LABELS = 16  # for which the objects are measured, on every batch; the time is scaled to all labels
LOOPED_SHARE = 8  # the functions are measured for every eighth label


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=1328)
    parser.add_argument("--molecules", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="No positive samples", module="torchmetrics")
    size = options.labels, options.molecules

    before = resident_bytes()
    clock, scores, metrics = streamed(*size)
    # The highest so far, which nothing before came near.
    growth = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    clocks = [clock, *(streamed(*size)[0] for _ in range(options.rounds - 1))]
    seconds = statistics.median(clock.processor for clock in clocks)
    from_file, scores_from_file, _ = streamed(*size, memory=metrics.held // 4)

    objects = objects_seconds(*size) * options.labels / UPDATED_LABELS
    packed = by_label(metrics)
    loop = alternate({"molfound": metrics.compute, "functions": lambda: functions(packed[::LOOPED_SHARE])}, 3)
    loop_ratio = loop["functions"] * len(packed) / len(packed[::LOOPED_SHARE]) / loop["molfound"]
    difference, defined = largest_difference(scores, packed)
    report(
        min(SECONDS / seconds, MEMORY_BYTES / growth, objects / seconds / OBJECTS, loop_ratio / FUNCTIONS),
        1.0,
        met=difference <= TOLERANCE
        and seconds <= SECONDS
        and growth <= MEMORY_BYTES
        and objects / seconds >= OBJECTS
        and loop_ratio >= FUNCTIONS
        and same(scores, scores_from_file),
        processor_s=seconds,
        wall_s=statistics.median(clock.wall for clock in clocks),
        resident_growth_mb=growth / 1e6,
        objects_ratio=objects / seconds,
        functions_ratio=loop_ratio,
        compute_s=loop["molfound"],
        from_file_processor_s=from_file.processor,
        from_file_wall_s=from_file.wall,
        from_file_equal=same(scores, scores_from_file),
        largest_difference=difference,
        defined_labels=defined,
        values=int(scores.used.sum()),
    )


class Clock:
    """Adds up, over ``with`` blocks, seconds by the wall and of the processor, which other work does not lengthen."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0

    def __enter__(self) -> None:
        self.wall -= time.perf_counter()
        self.processor -= time.process_time()

    def __exit__(self, *error: object) -> None:
        self.wall += time.perf_counter()
        self.processor += time.process_time()


def batches(labels: int, molecules: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield predictions and targets of each batch, [R, L], always the same: positives from 0.01 % to 30 %."""
    generator = torch.Generator().manual_seed(0)
    share = torch.logspace(-4, np.log10(0.3), labels)
    for first in range(0, molecules, BATCH):
        shape = (min(BATCH, molecules - first), labels)
        target = (torch.rand(shape, generator=generator) < share).float()
        prediction = torch.randn(shape, generator=generator) + target
        yield prediction, target.masked_fill(torch.rand(shape, generator=generator) > DENSITY, torch.nan)


def streamed(labels: int, molecules: int, memory: int = 1 << 30) -> tuple[Clock, TaskScores, TaskMetrics]:
    """Return the time of adding all batches and computing the scores, the scores, and what was collected."""
    names = [f"label{number}" for number in range(labels)]
    task = make_task("assays", "assays", "graph", "binary", names, metrics=[Component("auroc"), Component("ap")])
    metrics, clock = TaskMetrics(task, memory=memory), Clock()
    for prediction, target in batches(labels, molecules):
        with clock:
            metrics.update(prediction, target)
    with clock:
        scores = metrics.compute()
    return clock, scores, metrics


def objects_seconds(labels: int, molecules: int) -> float:
    """Return the processor's seconds that torchmetrics' objects take for some labels, spread over all."""
    chosen = np.linspace(0, labels - 1, UPDATED_LABELS).astype(np.int64).tolist()
    objects, clock = {label: (BinaryAUROC(), BinaryAveragePrecision()) for label in chosen}, Clock()
    for prediction, target in batches(labels, molecules):
        with clock:
            for label, both in objects.items():
                present = ~target[:, label].isnan()
                chosen_prediction, chosen_target = prediction[present, label], target[present, label].long()
                for metric in both:
                    metric.update(chosen_prediction, chosen_target)
    with clock:
        for both in objects.values():
            for metric in both:
                metric.compute()
    return clock.processor


def by_label(metrics: TaskMetrics) -> list[tuple[Tensor, Tensor]]:
    """Return predictions and targets of each label apart, in the order in which they came."""
    rows = (metrics.collected.read(label, label + 1).rows for label in range(metrics.collected.labels))
    return [(torch.from_numpy(of_label[:, 0].copy()), torch.from_numpy(of_label[:, 1]).long()) for of_label in rows]


def functions(packed: list[tuple[Tensor, Tensor]]) -> None:
    """Compute both metrics of each label by torchmetrics' functions, at their quickest."""
    for prediction, target in packed:
        binary_auroc(prediction, target, validate_args=False)
        binary_average_precision(prediction, target, validate_args=False)


def largest_difference(scores: TaskScores, packed: list[tuple[Tensor, Tensor]]) -> tuple[float, int]:
    """Return the largest difference from scikit-learn's figures over all labels that have both classes, and these."""
    differences = []
    for label, (prediction, target) in enumerate(packed):
        found = [scores.values[name][label] for name in ("auroc", "ap")]
        if target.min() == target.max():
            assert np.isnan(found).all(), f"label {label} is undefined, but has {found}"
            continue
        expected = [score(target, prediction) for score in (roc_auc_score, average_precision_score)]
        differences.append(np.abs(np.subtract(found, expected)).max())
    return float(np.max(differences)), len(differences)


def same(first: TaskScores, second: TaskScores) -> bool:
    """Return whether all figures are the same to the last bit."""
    return all(np.array_equal(first.values[name], second.values[name], equal_nan=True) for name in first.values)


def resident_bytes() -> int:
    """Return the memory of this process that is resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
