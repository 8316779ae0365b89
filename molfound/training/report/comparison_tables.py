"""The test figures of several runs, task by task, the best of them marked where they can be compared."""

from collections.abc import Mapping
from html import escape
from typing import Any

from molfound.tasks.aggregation import FLATTENED, ORIGINAL_UNITS, STANDARDISED, greater_is_better, is_known
from molfound.training.report.content import TaskContent
from molfound.training.report.tables import UNDEFINED, number, table

NOTE = (
    "Means over labels; the small number says over how many. Bold: the best. ↑: more is better, ↓: less is better. "
    "Standardised figures (mae, rmse) are in deviations of the training labels of each run."
)
INCOMPARABLE = "Not the same labels or not the same test molecules: none is marked as the best."


def figures_tables(tasks: Mapping[str, Mapping[str, TaskContent]]) -> str:
    """Return a table for each task: a row per run that has test figures of it, a column per metric.

    Args:
        tasks: task → run → what is known of it.
    """
    tested = {
        name: {run: task for run, task in found.items() if "test" in task.scores} for name, found in tasks.items()
    }
    if not any(tested.values()):
        return "<p>No run has figures of a test part.</p>"
    return f"<p>{NOTE}</p>" + "".join(_of_task(name, found) for name, found in tested.items() if found)


def _of_task(name: str, found: Mapping[str, TaskContent]) -> str:
    scores = {run: task.scores["test"] for run, task in found.items()}
    names = list(dict.fromkeys(metric for of_run in scores.values() for metric in of_run))
    alike = comparable(list(found.values()))
    best = {metric: best_runs(metric, scores) if alike and _same_unit(metric, found) else set() for metric in names}
    rows = [
        [escape(run), *(_cell(of_run.get(metric), bold=run in best[metric]) for metric in names)]
        for run, of_run in scores.items()
    ]
    heads = ["run", *(f"{metric} {_arrow(metric)}".strip() for metric in names)]
    shown = table(heads, rows, text_columns=1, name=f"figures of {name}", whole=True)
    remark = "" if alike or len(found) == 1 else f"<p>{INCOMPARABLE}</p>"
    return f"<h3>{escape(name)}</h3>{shown}{remark}"


def comparable(tasks: list[TaskContent]) -> bool:
    """Return whether figures of a task in several runs are of the same kind, labels and test values."""
    return len(tasks) > 1 and all(_measured(task) == _measured(tasks[0]) for task in tasks)


def best_runs(metric: str, scores: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> set[str]:
    """Return the runs with the best mean of a metric over the same number of labels; none where nobody knows which.

    Args:
        metric: its name in the scores.
        scores: run → metric → its mean and the values of its labels.
    """
    greater = _greater_is_better(metric)
    means = {run: of_run[metric]["mean"] for run, of_run in scores.items() if metric in of_run}
    known = {run: mean for run, mean in means.items() if mean is not None}
    if greater is None or len(known) < 2 or len({_labels(scores[run][metric]) for run in known}) > 1:
        return set()
    best = max(known.values()) if greater else min(known.values())
    return {run for run, mean in known.items() if mean == best}


def _same_unit(metric: str, tasks: Mapping[str, TaskContent]) -> bool:
    """Return whether a metric has one unit in all runs that have it: of standardised labels that of their deviations.

    Deviations are those of the training labels, or of a head that was taken over.
    """
    if metric.removesuffix(FLATTENED) not in STANDARDISED:
        return True
    having = [task for task in tasks.values() if metric in task.scores["test"]]
    units = [(task.normalize, _deviations(task.scores["test"])) for task in having]
    return all(unit == units[0] for unit in units)


def _deviations(scores: Mapping[str, Mapping[str, Any]]) -> list[str] | None:
    """Return by what a run has divided its labels, as its figures tell, to three digits; None: by nothing."""
    for standardised, original in ORIGINAL_UNITS.items():
        if standardised in scores and original in scores:
            pairs = zip(scores[original]["labels"].values(), scores[standardised]["labels"].values(), strict=True)
            return [f"{before / now:.3g}" if before and now else "" for before, now in pairs]
    return None


def _measured(task: TaskContent) -> tuple[Any, ...]:
    used = next((score["used"] for score in task.scores["test"].values() if score["used"]), None)
    return task.level, task.kind, task.labels, used, task.digests


def _cell(score: Mapping[str, Any] | None, *, bold: bool) -> str:
    if score is None:
        return UNDEFINED
    figure = number(score["mean"])
    labels = _labels(score)
    of = f" <small>{labels}</small>" if labels is not None else ""
    return (f"<b>{figure}</b>" if bold else figure) + of


def _labels(score: Mapping[str, Any]) -> int | None:
    """Return over how many labels a mean is taken; None where they are pooled."""
    return sum(value is not None for value in score["labels"].values()) if score["labels"] else None


def _greater_is_better(metric: str) -> bool | None:
    """Return whether more is better; None of a metric from a plugin that is not loaded."""
    return greater_is_better(metric) if is_known(metric) else None


def _arrow(metric: str) -> str:
    return {True: "↑", False: "↓", None: ""}[_greater_is_better(metric)]
