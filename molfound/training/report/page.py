"""The page of a report: its sections, style sheet and the few lines of script that sort a table."""

from collections.abc import Sequence
from html import escape

import numpy as np

from molfound.training.report.content import Predictions, RunContent, TaskContent
from molfound.training.report.plots import Values, histogram, line_plot, parity_plot, roc_curve, roc_plot
from molfound.training.report.style import SCRIPT, STYLE
from molfound.training.report.tables import calibration_table, label_table, metrics_table, overview_table

PARITY_PLOTS = 12
ROC_CURVES = 100
DISTRIBUTION_LABELS = 5  # the fewest whose distribution says more than their table
OPEN_ROWS = 30  # a longer table of labels is shown folded


def page(run: RunContent) -> str:
    """Return the report of a run."""
    part = _shown_part([part for task in run.tasks for part in task.scores])
    sections = [f"<h1>{escape(run.name)}</h1>"]
    if run.tasks:
        sections.append(f"<h2>Tasks{_on(part)}</h2>" + overview_table(run.tasks, part or ""))
    if run.losses:
        sections.append("<h2>Training</h2>" + _plots(_loss_plots(run)))
    sections.extend(_task_section(task) for task in run.tasks)
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in run.versions.items())
    sections.append(
        f"<h2>Configuration</h2><details><summary>config.yaml</summary><pre>{escape(run.config)}</pre></details>"
    )
    sections.append(f"<p><small>{versions}</small></p>" if versions else "")
    return document(f"{run.name}, molfound report", sections)


def document(title: str, sections: Sequence[str]) -> str:
    """Return a whole HTML document that needs no network, from its title as plain text and its sections as HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        # The page holds all it needs: a browser that obeys this loads nothing, whatever a label's name says.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{chr(10).join(sections)}</main>\n<script>{SCRIPT}</script></body></html>\n"
    )


def _loss_plots(run: RunContent) -> list[str]:
    named = [("all tasks", run.losses), *((task.name, task.losses) for task in run.tasks)]
    # One task's loss is the total up to a factor.
    shown = named[:1] if len(run.tasks) == 1 else named
    return [
        line_plot(f"loss, {name}", dict(curves), x_label="epoch", y_label="loss") for name, curves in shown if curves
    ]


def _task_section(task: TaskContent) -> str:
    about = f"{task.level} level, {task.kind}, {len(task.labels)} label{'s' if len(task.labels) > 1 else ''}"
    parts = [f'<h2 id="task-{escape(task.name)}">{escape(task.name)}</h2><p>{escape(about)}</p>']
    part = _shown_part(list(task.scores))
    if part is None:
        return parts[0] + "<p>No scores.</p>"
    parts.append(metrics_table(task))
    if task.calibration:
        parts.append(f"<h3>Calibration</h3>{calibration_table(task)}")
    plots = _prediction_plots(task)
    if len(task.labels) >= DISTRIBUTION_LABELS:
        plots += _distributions(task, part)
    parts.append(_plots(plots))
    opened = " open" if len(task.labels) <= OPEN_ROWS else ""
    parts.append(f"<details{opened}><summary>labels{_on(part)}</summary>{label_table(task, part)}</details>")
    return "".join(parts)


def _distributions(task: TaskContent, part: str) -> list[str]:
    plots = []
    for metric, score in task.scores[part].items():
        values = np.array([np.nan if value is None else value for value in score["labels"].values()], np.float64)
        if np.isfinite(values).any():
            plots.append(histogram(f"{metric} of the labels, {part}", values, x_label=metric))
    return plots


def _prediction_plots(task: TaskContent) -> list[str]:
    predictions = task.predictions
    if predictions is None:
        return []
    if task.kind == "regression":
        return [
            parity_plot(f"{predictions.names[label]}, test", *_of_label(predictions, label))
            for label in _fullest(predictions, np.bincount(predictions.label), PARITY_PLOTS)
        ]
    positive = predictions.target > 0.5
    of_class = [
        np.bincount(predictions.label[chosen], minlength=len(predictions.names)) for chosen in (positive, ~positive)
    ]
    both = np.minimum(*of_class)
    curves = {
        predictions.names[label]: roc_curve(*_of_label(predictions, label))
        for label in _fullest(predictions, both, ROC_CURVES)
    }
    some = f", {len(curves)} of {len(task.labels)} labels" if len(curves) < len(task.labels) else ""
    return [roc_plot(f"ROC, test{some}", curves)] if curves else []


def _of_label(predictions: Predictions, label: int) -> tuple[Values, Values]:
    rows = predictions.label == label
    return predictions.target[rows], predictions.prediction[rows]


def _fullest(predictions: Predictions, values: np.ndarray, most: int) -> list[int]:
    """Return the labels with the most values, those without any left out, in the order of the task."""
    order = np.argsort(-values, kind="stable")[:most]
    return sorted(int(label) for label in order if values[label] > 0)


def _shown_part(parts: Sequence[str]) -> str | None:
    return "test" if "test" in parts else next(iter(parts), None)


def _on(part: str | None) -> str:
    return f", {escape(part)} part" if part else ""


def _plots(plots: Sequence[str]) -> str:
    return f'<div class="plots">{"".join(plots)}</div>' if plots else ""
