"""What a run keeps of its calibration on molecules held out: intervals around regressions, lines through logits."""

from pydantic import BaseModel, ConfigDict


class IntervalCalibration(BaseModel):
    """Half the width of the intervals around a regression's predictions.

    Attributes:
        widths: by level of coverage, as text, and label, in original units; None where a label has too few values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: dict[str, tuple[float | None, ...]]


class ProbabilityCalibration(BaseModel):
    """What turns a logit into one whose probability is calibrated: ``scale * logit + shift``.

    Attributes:
        scale: of each label.
        shift: of each label.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: tuple[float, ...]
    shift: tuple[float, ...]


class Calibration(BaseModel):
    """What a run keeps in ``calibration.json``.

    Attributes:
        intervals: of the regressions, by task.
        probabilities: of the binary tasks, by task.
        test: what the test part says of them, by task and figure: ``coverage_0.9``, ``brier_calibrated``, …
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intervals: dict[str, IntervalCalibration]
    probabilities: dict[str, ProbabilityCalibration]
    test: dict[str, dict[str, float | None]] = {}
