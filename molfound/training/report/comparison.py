"""Several runs beside each other: one HTML file with what differs in them, their figures, curves and times."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from molfound.config import Experiment, load_config
from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError
from molfound.runs import find_run
from molfound.training.report.comparison_tables import figures_tables
from molfound.training.report.content import Curve, RunContent, TaskContent, read_content
from molfound.training.report.page import DISTRIBUTION_LABELS, check_report_file, document, first_metric, plot_grid
from molfound.training.report.plots import line_plot, scatter_plot, series_style
from molfound.training.report.tables import UNDEFINED, table
from molfound.training.report.timing import timing_figures, timing_plots
from molfound.training.run_folder import RunFolder
from molfound.training.same_experiment import differing_keys

SCATTER_PLOTS = 24
VALUE = 80  # characters of a configuration's value
AXIS_NAME = 32  # characters of a run's name at an axis
NOTHING = Curve(np.empty(0), np.empty(0))


@dataclass(frozen=True)
class ComparedRun:
    """A run among others.

    Attributes:
        name: the end of its folder's path that tells it from the others.
        content: what is known of it.
        experiment: its configuration.
    """

    name: str
    content: RunContent
    experiment: Experiment


def write_comparison(names: Sequence[str | Path], output: Path) -> Path:
    """Write a comparison of runs from the files in their folders, and return its path.

    What a run does not have (yet) is left out. Same files, same bytes.

    Args:
        names: of the runs, see `molfound.runs.find_run`.
        output: where to write.

    Raises:
        MolfoundError: there is no run of a name, or one is named twice; a configuration cannot be read, or the file
            cannot be written.
    """
    check_report_file(output)
    runs = [RunFolder.existing(find_run(name)) for name in names]
    ends = distinct_names([Path(name) for name in names])
    compared = [
        ComparedRun(name, read_content(run), load_config(run.config)) for name, run in zip(ends, runs, strict=True)
    ]
    write_atomically(output, comparison_page(compared).encode())
    return output


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the folders' paths that tell them apart, all of one length.

    Raises:
        MolfoundError: a folder is named twice.

    Example:
        >>> distinct_names([Path("/runs/gin/seed1"), Path("/runs/gine/seed1")])
        ['gin/seed1', 'gine/seed1']
    """
    paths = [folder.resolve().parts for folder in folders]
    for folder, path in zip(folders, paths, strict=True):
        if paths.count(path) > 1:
            raise MolfoundError(f"{folder} is named twice: a comparison is of different runs")
    longest = max(map(len, paths))
    names = (["/".join(path[-length:]) for path in paths] for length in range(1, longest + 1))
    return next(ends for ends in names if len(set(ends)) == len(ends))


def comparison_page(runs: Sequence[ComparedRun]) -> str:
    """Return the comparison of runs."""
    tasks = _tasks(runs)
    shared = {name: found for name, found in tasks.items() if len(found) > 1}
    sections = [f"<h1>Comparison of {len(runs)} runs</h1>{_legend(runs)}"]
    sections.append(f"<h2>What differs in their configurations</h2>{_differences(runs)}")
    sections.append("<h2>Figures of the test part</h2>")
    if not shared:
        sections.append("<p>These runs share no task: none of their figures can be compared.</p>")
    sections.append(figures_tables(tasks))
    curves = _curves(runs, shared)
    if curves:
        sections.append(f"<h2>Learning curves</h2>{_legend(runs)}{plot_grid(curves)}")
    scatters = _label_plots(runs[0].name, shared)
    if scatters:
        left_out = len(scatters) - SCATTER_PLOTS
        more = f"<p>{left_out} more are left out.</p>" if left_out > 0 else ""
        sections.append(f"<h2>Labels, run against run</h2>{plot_grid(scatters[:SCATTER_PLOTS])}{more}")
    sections.append(_time(runs))
    return document(f"Comparison of {len(runs)} runs, molfound report", sections)


def _tasks(runs: Sequence[ComparedRun]) -> dict[str, dict[str, TaskContent]]:
    """Return task → run → what is known of it, in the order in which tasks are first met."""
    tasks: dict[str, dict[str, TaskContent]] = {}
    for run in runs:
        for task in run.content.tasks:
            tasks.setdefault(task.name, {})[run.name] = task
    return tasks


def _legend(runs: Sequence[ComparedRun]) -> str:
    lines = (
        f'<li><svg class="plot sample" viewBox="0 0 36 12" aria-hidden="true">'
        f'<path class="line {series_style(number)}" d="M0 6h36"/></svg> {escape(run.name)}</li>'
        for number, run in enumerate(runs)
    )
    return f'<ul class="legend">{"".join(lines)}</ul>'


def _differences(runs: Sequence[ComparedRun]) -> str:
    first, *others = (run.experiment for run in runs)
    of_others = [differing_keys(first, other) for other in others]
    was = {key: values[0] for keys in of_others for key, values in keys.items()}
    if not was:
        return "<p>Nothing.</p>"
    rows = [
        [escape(key), _value(mine), *(_value(keys[key][1] if key in keys else mine) for keys in of_others)]
        for key, mine in sorted(was.items())
    ]
    heads = ["key", *(run.name for run in runs)]
    return table(heads, rows, text_columns=len(heads), name="configurations")


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return escape(text if len(text) <= VALUE else f"{text[: VALUE - 1]}…")


def _curves(runs: Sequence[ComparedRun], shared: Mapping[str, Mapping[str, TaskContent]]) -> list[str]:
    """Return the total loss, and the loss and first metric of each shared task, of val or else of train."""
    figures = {"loss, all tasks": ("loss", {run.name: run.content.losses for run in runs})}
    for name, found in shared.items():
        metrics = [first_metric(task) for task in found.values()]
        for figure in dict.fromkeys(["loss", *metrics]):
            if figure is not None:
                curves = {run: task.curves.get(figure, {}) for run, task in found.items()}
                figures[f"{figure}, {name}"] = (figure, curves)
    plots = []
    for title, (figure, curves) in figures.items():
        part = next((part for part in ("val", "train") if any(part in of_run for of_run in curves.values())), None)
        if part is not None:
            series = {run.name: curves.get(run.name, {}).get(part, NOTHING) for run in runs}
            plots.append(line_plot(f"{title}, {part}", series, x_label="epoch", y_label=figure, legend=False))
    return plots


def _label_plots(first: str, shared: Mapping[str, Mapping[str, TaskContent]]) -> list[str]:
    """Return, of each task of the first run, the first metric of its labels against that of each other run."""
    plots = []
    for name, found in shared.items():
        if first not in found:
            continue
        ours = found[first].scores.get("test", {})
        for other, task in found.items():
            theirs = task.scores.get("test", {})
            metric = next((metric for metric in ours if ours[metric]["labels"] and metric in theirs), None)
            if other == first or metric is None:
                continue
            mine, others = (scores[metric]["labels"] for scores in (ours, theirs))
            both = {label: (mine[label], others[label]) for label in mine if _known(mine[label], others.get(label))}
            if len(both) >= DISTRIBUTION_LABELS:
                x, y = np.array(list(both.values()), np.float64).T
                title, across, up = f"{metric} of the labels of {name}", _at_axis(first), _at_axis(other)
                plots.append(scatter_plot(title, x, y, x_label=across, y_label=up, names=tuple(both)))
    return plots


def _known(*values: float | None) -> bool:
    return None not in values


def _at_axis(name: str) -> str:
    return name if len(name) <= AXIS_NAME else f"…{name[-AXIS_NAME + 1 :]}"


def _time(runs: Sequence[ComparedRun]) -> str:
    timings = {run.name: run.content.timing for run in runs}
    figures = {
        name: {"device": escape(timing.device), **timing_figures(timing)}
        for name, timing in timings.items()
        if timing is not None
    }
    if not figures:
        return ""
    rows = [
        [figure, *(figures[name][figure] if name in figures else UNDEFINED for name in timings)]
        for figure in next(iter(figures.values()))
    ]
    shown = table(["", *timings], rows, text_columns=1, name="time of the trainings")
    return f"<h2>Time and size</h2>{shown}{_legend(runs)}{plot_grid(timing_plots(timings, legend=False))}"
