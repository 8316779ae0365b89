"""What a task reports of a metric: its mean over labels, with the value of each, or all labels pooled into one."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from molfound.config.component import Component
from molfound.errors import MolfoundError, did_you_mean
from molfound.tasks.metrics import metrics
from molfound.tasks.packed import Floats, PackedPredictions
from molfound.tasks.task import Task

Aggregation = Literal["mean", "flattened"]
FLATTENED = "_flattened"
ORIGINAL_UNITS = {"mae": "mae_original", "rmse": "rmse_original"}
STANDARDISED = (*ORIGINAL_UNITS, "mse")  # metrics whose unit is that of the label normalisation


@dataclass(frozen=True)
class ReportedMetric:
    """A metric as a task reports it.

    In YAML ``auroc``, or ``{name: auroc, aggregation: flattened}`` beside the metric's own options.

    Attributes:
        metric: its registered name.
        aggregation: ``"mean"``: per label, and the mean over the labels for which it is defined; ``"flattened"``: the
            values of all labels as if they were one label's.
        options: the metric's own, checked.

    Example:
        >>> ReportedMetric.of(Component("auroc", {"aggregation": "flattened"})).name
        'auroc_flattened'
    """

    metric: str
    aggregation: Aggregation
    options: dict[str, Any]

    @classmethod
    def of(cls, component: Component) -> "ReportedMetric":
        """Return the metric that a component of a configuration describes.

        Raises:
            MolfoundError: an unknown metric, aggregation or option, or a metric that cannot be flattened.
        """
        options = {key: value for key, value in component.options.items() if key != "aggregation"}
        aggregation = component.options.get("aggregation", "mean")
        checked = metrics.check(component.name, options)
        known = get_args(Aggregation)
        if aggregation not in known:
            raise MolfoundError(
                f"metric '{component.name}' has no aggregation {aggregation!r}, only {' and '.join(known)}"
                f"{did_you_mean(str(aggregation), known)}"
            )
        if aggregation == "flattened" and component.name in ORIGINAL_UNITS.values():
            raise MolfoundError(
                f"metric '{component.name}' is in the unit of each label, so that labels cannot be flattened into one"
            )
        return cls(component.name, aggregation, checked)

    @property
    def name(self) -> str:
        """The name in figures, scores and reports: ``auroc``, ``auroc_flattened``."""
        return self.metric + (FLATTENED if self.aggregation == "flattened" else "")

    def values(self, packed: PackedPredictions) -> Floats:
        """Return the metric of each label, float64 [L], NaN where undefined."""
        values: Floats = metrics[self.metric](packed, **self.options)
        return values


def reported_metrics(task: Task) -> dict[str, ReportedMetric]:
    """Return what a task reports by name: its metrics and, if it is normalised, errors in original units too."""
    reported = {metric.name: metric for metric in map(ReportedMetric.of, task.metrics)}
    if task.normalize != "none":
        for name in [name for name in reported if name in ORIGINAL_UNITS]:
            original = ORIGINAL_UNITS[name]
            reported.setdefault(original, ReportedMetric(original, "mean", {}))
    return reported


def is_known(name: str) -> bool:
    """Return whether a reported metric of this name is registered, which one of a plugin is once that is loaded.

    >>> is_known("auroc_flattened"), is_known("mine")
    (True, False)
    """
    return name in metrics or name.removesuffix(FLATTENED) in metrics


def greater_is_better(name: str) -> bool:
    """Return whether a greater value of a reported metric is better.

    Raises:
        MolfoundError: no metric of this name.

    Example:
        >>> greater_is_better("auroc_flattened"), greater_is_better("mae_original")
        (True, False)
    """
    return metrics.greater_is_better(name if name in metrics else name.removesuffix(FLATTENED))
