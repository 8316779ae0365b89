"""Calibrating a model on the validation part, and telling on the test part what that is worth."""

import numpy as np
from scipy.special import expit

from molfound.tasks.calibration import Calibration, IntervalCalibration, ProbabilityCalibration
from molfound.tasks.conformal import calibrated_intervals, coverage
from molfound.tasks.deviation_figures import deviation_figures
from molfound.tasks.platt import calibrated_probabilities, calibration_error
from molfound.tasks.task_metrics import TaskMetrics
from molfound.training.evaluation import Evaluation


def calibrate(evaluation: Evaluation) -> Calibration:
    """Return intervals of the regressions and calibrated probabilities of the binary tasks of an evaluated part."""
    intervals, probabilities = {}, {}
    for name, task in evaluation.tasks.items():
        metrics = evaluation.metrics[name]
        if not metrics.used().any():
            continue
        if task.kind == "regression":
            intervals[name] = intervals_of(metrics)
        elif task.kind == "binary":
            fits = [calibrated_probabilities(block.packed) for block in metrics.blocks()]
            probabilities[name] = ProbabilityCalibration(
                scale=tuple(scale for fit in fits for scale in fit.scale),
                shift=tuple(shift for fit in fits for shift in fit.shift),
            )
    return Calibration(intervals=intervals, probabilities=probabilities)


def intervals_of(metrics: TaskMetrics) -> IntervalCalibration:
    """Return the intervals of a regression, of which some label has a value, from predictions of molecules held out."""
    parts = [calibrated_intervals(block.packed) for block in metrics.blocks()]
    return IntervalCalibration(
        widths={level: tuple(width for part in parts for width in part.widths[level]) for level in parts[0].widths}
    )


def with_test_figures(calibration: Calibration, evaluation: Evaluation) -> Calibration:
    """Return a calibration with what the test part says of it: coverage of intervals, errors of probabilities.

    And of variances that a head predicts, see `deviation_figures`.

    They are means over the labels that have values, and an interval, or both classes and predictions that are numbers.
    """
    figures: dict[str, dict[str, float | None]] = {}
    for name, intervals in calibration.intervals.items():
        metrics = evaluation.metrics[name]
        if metrics.used().any():
            covered = [coverage(block.packed, intervals, block.first) for block in metrics.blocks()]
            figures[name] = {
                f"coverage_{level}": _mean(np.concatenate([part[level] for part in covered]))
                for level in intervals.widths
            }
            if evaluation.tasks[name].predicts_variance:
                told = [deviation_figures(block.packed) for block in metrics.blocks()]
                figures[name] |= {figure: _mean(np.concatenate([part[figure] for part in told])) for figure in told[0]}
    for name, probabilities in calibration.probabilities.items():
        metrics = evaluation.metrics[name]
        if metrics.used().any():
            figures[name] = _probability_errors(metrics, probabilities)
    return calibration.model_copy(update={"test": figures})


def _probability_errors(metrics: TaskMetrics, fitted: ProbabilityCalibration) -> dict[str, float | None]:
    errors: dict[str, list[float]] = {
        "calibration_error": [],
        "calibration_error_calibrated": [],
        "brier": [],
        "brier_calibrated": [],
    }
    for block in metrics.blocks():
        packed = block.packed
        logits_by_label = packed.by_label(packed.prediction.astype(np.float64))
        targets_by_label = packed.by_label(packed.target.astype(np.float64))
        for number, (logits, targets) in enumerate(zip(logits_by_label, targets_by_label, strict=True)):
            label = block.first + number
            if len(targets) and targets.min() < targets.max() and np.isfinite(logits).all():
                scaled = fitted.scale[label] * logits + fitted.shift[label]
                for suffix, values in (("", logits), ("_calibrated", scaled)):
                    probabilities = expit(values)
                    errors[f"calibration_error{suffix}"].append(calibration_error(probabilities, targets))
                    errors[f"brier{suffix}"].append(float(np.mean((probabilities - targets) ** 2)))
    return {name: _mean(np.array(values)) for name, values in errors.items()}


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
