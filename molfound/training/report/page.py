"""The page of a report: its sections, style sheet and the few lines of script that sort a table."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from molfound.errors import MolfoundError
from molfound.tasks.aggregation import ORIGINAL_UNITS
from molfound.training.report.content import RunContent, TaskContent
from molfound.training.report.molecules import worst_section
from molfound.training.report.plots import histogram, line_plot
from molfound.training.report.prediction_plots import prediction_plots
from molfound.training.report.style import SCRIPT, STYLE
from molfound.training.report.tables import calibration_table, label_table, metrics_table, overview_table
from molfound.training.report.timing import timing_plots, timing_table

DISTRIBUTION_LABELS = 5  # the fewest whose distribution says more than their table
OPEN_ROWS = 30  # a longer table of labels is shown folded


def page(run: RunContent) -> str:
    """Return the report of a run."""
    part = _shown_part([part for task in run.tasks for part in task.scores])
    sections = [f"<h1>{escape(run.name)}</h1><p>a run of the experiment {escape(run.experiment)}</p>"]
    if run.tasks:
        sections.append(f"<h2>Tasks{_on(part)}</h2>" + overview_table(run.tasks, part or ""))
    if run.losses:
        sections.append("<h2>Learning curves</h2>" + plot_grid(_learning_curves(run)))
    sections.extend(_task_section(task) for task in run.tasks)
    if run.timing is not None:
        plots = timing_plots({run.name: run.timing}, legend=False)
        sections.append(f"<h2>Time</h2>{timing_table(run.timing)}{plot_grid(plots)}")
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in run.versions.items())
    sections.append(
        f"<h2>Configuration</h2><details><summary>config.yaml</summary><pre>{escape(run.config)}</pre></details>"
    )
    sections.append(f"<p><small>{versions}</small></p>" if versions else "")
    return document(f"{run.name}, molfound report", sections)


def check_report_file(path: Path) -> None:
    """Raise `MolfoundError` unless a file is one of HTML by its name: what is written over is nothing but a report."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise MolfoundError(f"a report is a file that ends in .html, not {path}")


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


def _learning_curves(run: RunContent) -> list[str]:
    named = [("all tasks", run.losses), *((task.name, task.curves.get("loss", {})) for task in run.tasks)]
    # One task's loss is the total up to a factor.
    shown = {f"loss, {name}": ("loss", curves) for name, curves in (named[:1] if len(run.tasks) == 1 else named)}
    for task in run.tasks:
        metric = first_metric(task)
        if metric is not None:
            shown[f"{metric}, {task.name}"] = (metric, task.curves[metric])
    return [
        line_plot(title, dict(curves), x_label="epoch", y_label=name)
        for title, (name, curves) in shown.items()
        if curves
    ]


def first_metric(task: TaskContent) -> str | None:
    """Return the first metric of the validation part over the epochs that is not the loss itself, or None."""
    names = (name for name, parts in task.curves.items() if "val" in parts)
    return next((name for name in names if name not in ("loss", task.loss)), None)


def _task_section(task: TaskContent) -> str:
    about = f"{task.level} level, {task.kind}, {len(task.labels)} label{'s' if len(task.labels) > 1 else ''}"
    parts = [f'<h2 id="task-{escape(task.name)}">{escape(task.name)}</h2><p>{escape(about)}</p>']
    part = _shown_part(list(task.scores))
    if part is None:
        return parts[0] + "<p>No scores.</p>"
    parts.append(metrics_table(task))
    if task.calibration:
        parts.append(f"<h3>Calibration</h3>{calibration_table(task)}")
    plots = prediction_plots(task)
    if plots:
        parts.append(f"<h3>Predictions, test part</h3>{plot_grid(plots)}")
    parts.append(f"{worst_section(task)}<h3>Labels</h3>")
    if len(task.labels) >= DISTRIBUTION_LABELS:
        parts.append(plot_grid(_distributions(task, part)))
    opened = " open" if len(task.labels) <= OPEN_ROWS else ""
    parts.append(
        f"<details{opened}><summary>{len(task.labels):,} labels{_on(part)}</summary>{label_table(task, part)}</details>"
    )
    return "".join(parts)


def _distributions(task: TaskContent, part: str) -> list[str]:
    plots = []
    for metric, score in task.scores[part].items():
        if metric in ORIGINAL_UNITS.values():
            continue  # each label's is in a unit of its own
        values = np.array([np.nan if value is None else value for value in score["labels"].values()], np.float64)
        if np.isfinite(values).any():
            plots.append(histogram(f"{metric} of the labels, {part}", values, x_label=metric))
    return plots


def _shown_part(parts: Sequence[str]) -> str | None:
    return "test" if "test" in parts else next(iter(parts), None)


def _on(part: str | None) -> str:
    return f", {escape(part)} part" if part else ""


def plot_grid(plots: Sequence[str]) -> str:
    """Return plots in rows of as many as the page is wide."""
    return f'<div class="plots">{"".join(plots)}</div>' if plots else ""
