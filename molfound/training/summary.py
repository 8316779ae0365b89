"""The table that ends a training: each task's test figures beside those of the baselines."""

import json
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from molfound.tasks.aggregation import ORIGINAL_UNITS
from molfound.training.console import print_table
from molfound.training.run_folder import RunFolder

TaskFigures = Mapping[str, Mapping[str, Any]]


def print_summary(run: RunFolder, *, as_json: bool) -> None:
    """Print a run's test figures, as a table or as JSON with the run folder, ``{}`` if no part was held out."""
    scores: Mapping[str, TaskFigures] = json.loads(run.scores.read_text())
    part = "test" if "test" in scores else next(iter(scores), None)
    if part is None:
        print("{}" if as_json else "no part was held out: nothing to report")
        return
    baselines = json.loads(run.baselines.read_text()) if run.baselines.is_file() else {}
    objectives = json.loads(run.objectives.read_text())[part] if run.objectives.is_file() else {}
    folds = json.loads(run.folds.read_text()) if run.folds.is_file() else None
    if as_json:
        figures = {task: {name: s["mean"] for name, s in metrics.items()} for task, metrics in scores[part].items()}
        told = ({"objectives": objectives} if objectives else {}) | ({"folds": folds} if folds else {})
        print(json.dumps({"run": str(run.path), "part": part, "scores": figures, "baselines": baselines, **told}))
        return
    if folds is not None:
        print_folds(folds, scores[part])
        return
    print_scores(scores[part], title=f"{part} part, mean over labels", baselines=baselines)
    print_objectives(objectives)


def print_scores(
    scores: TaskFigures, *, title: str, baselines: Mapping[str, Mapping[str, Mapping[str, float | None]]] | None = None
) -> None:
    """Print a table of tasks and metrics, the baselines' figures beside the model's; nothing if there are no tasks."""
    if not scores:
        return
    names = list(dict.fromkeys(name for task in (baselines or {}).values() for name in task))
    table = Table(title=title, title_justify="left")
    table.add_column("task")
    table.add_column("metric", no_wrap=True)
    for column in ("model", *names, "labels", "undefined"):
        table.add_column(column, justify="right")
    for task, metrics in scores.items():
        for number, (metric, score) in enumerate(metrics.items()):
            beside = [(baselines or {}).get(task, {}).get(name, {}).get(metric) for name in names]
            used = sum(1 for value in score["labels"].values() if value is not None)
            figures = [_number(value) for value in (score["mean"], *beside)]
            # What is flattened is of no label.
            labels = [str(used), str(score["undefined"])] if score["labels"] else ["", ""]
            table.add_row(task if number == 0 else "", metric, *figures, *labels)
        table.add_section()
    print_table(table)
    standardised = [name for name in ORIGINAL_UNITS if any(name in of_task for of_task in scores.values())]
    if any(ORIGINAL_UNITS[name] in metrics for metrics in scores.values() for name in standardised):
        print(f"{' and '.join(standardised)}: in deviations of the training labels; _original: in their unit")


def print_folds(folds: Mapping[str, Any], together: TaskFigures) -> None:
    """Print a table of tasks and metrics of a cross-validation: mean ± deviation over the folds, of baselines as well.

    Args:
        folds: the content of ``folds.json``.
        together: the scores of all molecules, each predicted by the member that has not learned from it.
    """
    names = list(dict.fromkeys(name for task in folds["baselines"].values() for name in task))
    title = f"test parts of {folds['folds']} folds, mean ± deviation; all: of all molecules together"
    table = Table(title=title, title_justify="left")
    table.add_column("task")
    table.add_column("metric", no_wrap=True)
    for column in ("model", *names, "all"):
        table.add_column(column, justify="right")
    for task, metrics in folds["scores"].items():
        for number, (metric, score) in enumerate(metrics.items()):
            beside = [folds["baselines"][task].get(name, {}).get(metric, {}) for name in names]
            cells = [_spread(found) for found in (score, *beside)]
            table.add_row(task if number == 0 else "", metric, *cells, _number(together[task][metric]["mean"]))
        table.add_section()
    print_table(table)


def print_objectives(objectives: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print a line for each objective: its losses, and what it tells beside them."""
    for name, told in objectives.items():
        print(f"{name}: " + ", ".join(f"{figure} {_number(value)}" for figure, value in told.items()))


def _spread(figure: Mapping[str, Any]) -> str:
    deviation = figure.get("deviation")
    return _number(figure.get("mean")) + ("" if deviation is None else f" ±{deviation:.2g}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
