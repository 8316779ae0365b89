"""A run's calibration applied to its predictions: intervals, and probabilities that are frequencies."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from molfound.errors import MolfoundError
from molfound.tasks.calibration import Calibration

FILE = "calibration.json"


@dataclass(frozen=True)
class IntervalBounds:
    """The bounds of intervals of one coverage.

    Attributes:
        widths: half of their widths, of each label of a regression, in original units; NaN where there is none.
    """

    widths: Mapping[str, Tensor]

    @property
    def tasks(self) -> Collection[str]:
        """The regressions that have some."""
        return self.widths.keys()

    def added(self, predicted: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return predictions, by task, with ``TASK.low`` and ``TASK.high``."""
        found = dict(predicted)
        for name, width in self.widths.items():
            half = width.to(predicted[name].device)
            found |= {f"{name}.low": predicted[name] - half, f"{name}.high": predicted[name] + half}
        return found


def load_calibration(folder: Path) -> Calibration | None:
    """Return what a run folder keeps, or None where it has no calibration.

    Raises:
        MolfoundError: the file is none, or one of a newer molfound.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        what = f"{place}: {first['msg']}" if place else first["msg"]
        raise MolfoundError(f"{path} is damaged, or was made by a newer molfound: {what}") from None


def interval_bounds(calibration: Calibration | None, level: float, tasks: Sequence[str]) -> IntervalBounds:
    """Return the bounds around the predictions of the regressions that the run has intervals for.

    Args:
        calibration: of the run.
        level: probability with which the interval covers the true value.
        tasks: which tasks are predicted.

    Raises:
        MolfoundError: there is no calibration, none for such a level, no regression among the tasks, or too few
            molecules held out for an interval of this coverage.
    """
    known = _known(calibration)
    regressions = [name for name in tasks if name in known.intervals]
    if not regressions:
        raise MolfoundError(f"there is no regression with an interval among the tasks {', '.join(tasks)}")
    levels = known.intervals[regressions[0]].widths
    if str(level) not in levels:
        raise MolfoundError(f"the run keeps no intervals of coverage {level:g}; known: {', '.join(levels)}")
    kept = {name: known.intervals[name].widths[str(level)] for name in regressions}
    if not any(width is not None for widths in kept.values() for width in widths):
        usable = [text for text in levels if any(width is not None for width in levels[text])]
        raise MolfoundError(
            f"the run has too few molecules held out for intervals of coverage {level:g}; those it has: "
            f"{', '.join(usable) or 'none'}"
        )
    return IntervalBounds(
        {
            name: torch.tensor([float("nan") if width is None else width for width in widths])
            for name, widths in kept.items()
        }
    )


def calibrated_logits(calibration: Calibration | None, tasks: Sequence[str]) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return, for each binary task that is calibrated, what turns its logits into those of calibrated probabilities.

    Raises:
        MolfoundError: there is no calibration, or no binary task among the tasks.
    """
    known = _known(calibration)
    fitted = {name: known.probabilities[name] for name in tasks if name in known.probabilities}
    if not fitted:
        raise MolfoundError(
            f"there is no calibrated binary task among the tasks {', '.join(tasks)} (an ensemble of folds calibrates "
            "none)"
        )
    return {name: partial(_moved, torch.tensor(fit.scale), torch.tensor(fit.shift)) for name, fit in fitted.items()}


def _moved(scale: Tensor, shift: Tensor, logits: Tensor) -> Tensor:
    return scale.to(logits.device) * logits + shift.to(logits.device)


def _known(calibration: Calibration | None) -> Calibration:
    if calibration is None:
        raise MolfoundError(
            f"the run keeps no {FILE}, which is made from validation molecules that no member of it has learned from, "
            "or from the folds of a cross-validation: train one with a validation part"
        )
    return calibration
