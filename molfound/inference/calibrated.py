"""A run's calibration applied to its predictions: intervals, and probabilities that are frequencies."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from molfound.errors import MolfoundError
from molfound.tasks.calibration import Calibration

FILE = "calibration.json"
NEAREST = 1e-7  # of a probability to 0 or 1 in float32: its logit stays finite

Predictions = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


def load_calibration(folder: Path) -> Calibration | None:
    """Return what a run folder keeps, or None where it has no calibration."""
    path = folder / FILE
    return Calibration.model_validate_json(path.read_bytes()) if path.is_file() else None


def interval_bounds(calibration: Calibration | None, level: float, tasks: Sequence[str]) -> Predictions:
    """Return what adds to the predictions of each regression ``TASK.low`` and ``TASK.high``, in original units.

    A label that was held out too rarely for such an interval has NaN.

    Args:
        calibration: of the run.
        level: probability with which the interval covers the true value.
        tasks: which tasks are predicted.

    Raises:
        MolfoundError: there is no calibration, none for such a level, or no regression among the tasks.
    """
    known = _known(calibration)
    regressions = [name for name in tasks if name in known.intervals]
    if not regressions:
        raise MolfoundError(f"there is no regression with an interval among the tasks {', '.join(tasks)}")
    levels = known.intervals[regressions[0]].widths
    if str(level) not in levels:
        raise MolfoundError(f"the run keeps no intervals of coverage {level:g}; known: {', '.join(levels)}")
    widths = {
        name: torch.tensor([float("nan") if width is None else width for width in found])
        for name, found in ((name, known.intervals[name].widths[str(level)]) for name in regressions)
    }

    def bounds(predicted: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = dict(predicted)
        for name, width in widths.items():
            half = width.to(predicted[name].device)
            found |= {f"{name}.low": predicted[name] - half, f"{name}.high": predicted[name] + half}
        return found

    return bounds


def calibrated_probabilities(calibration: Calibration | None, tasks: Sequence[str]) -> Predictions:
    """Return what replaces the probabilities of binary tasks by calibrated ones.

    Raises:
        MolfoundError: there is no calibration, or no binary task among the tasks.
    """
    known = _known(calibration)
    fitted = {name: known.probabilities[name] for name in tasks if name in known.probabilities}
    if not fitted:
        raise MolfoundError(f"there is no calibrated binary task among the tasks {', '.join(tasks)}")
    lines = {name: (torch.tensor(fit.scale), torch.tensor(fit.shift)) for name, fit in fitted.items()}

    def replaced(predicted: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = dict(predicted)
        for name, (scale, shift) in lines.items():
            logits = predicted[name].logit(NEAREST)
            found[name] = torch.sigmoid(scale.to(logits.device) * logits + shift.to(logits.device))
        return found

    return replaced


def _known(calibration: Calibration | None) -> Calibration:
    if calibration is None:
        raise MolfoundError(
            f"the run keeps no {FILE}: it was trained without a validation part, or by an older version"
        )
    return calibration
