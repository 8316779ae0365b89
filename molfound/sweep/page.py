"""A sweep's results in Markdown, HTML and plain text: the best, a table of the trials, and plots of what mattered."""

from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from molfound.sweep.plots import course_plot, history_plot, importance_plot, key_plot, legend
from molfound.sweep.sweep_file import trial_folder
from molfound.sweep.trial import Results, Trial, shown
from molfound.training.console import print_table
from molfound.training.report.page import document
from molfound.training.report.tables import number, table
from molfound.training.run_folder import RunFolder

FEW = 20  # finished trials below which shares of the variance are shaky
HEADS = ("trial", "state", "value", "epoch", "epochs")


def markdown_page(results: Results) -> str:
    """Return the results as a Markdown page."""
    heads = (*HEADS, *short_names(results.space))
    lines = [f"# {results.name}", "", _about(results), "", _best_told(results), ""]
    lines += [_row(heads), _row("---" if column < 2 else "---:" for column in range(len(heads)))]
    marks = ("**" if trial is results.best else "" for trial in results.trials)
    lines += [
        _row(f"{mark}{_safe(cell)}{mark}" if cell else "" for cell in _cells(results, trial))
        for mark, trial in zip(marks, results.trials, strict=True)
    ]
    if results.importances:
        lines += ["", _importance_note(results), "", "| key | share |", "| --- | ---: |"]
        lines += [_row((_safe(key), f"{share:.2f}")) for key, share in results.importances.items()]
    lines += ["", *(f"- {line}" for line in _failures(results))]
    return "\n".join(lines).rstrip() + "\n"


def html_page(results: Results) -> str:
    """Return the results as one HTML file that needs no network; it links the trials' own reports."""
    sections = [f"<h1>{escape(results.name)}</h1><p>{escape(_about(results))}</p>"]
    best = results.best
    if best is not None:
        rows = [[escape(key), escape(shown(value))] for key, value in best.values.items()]
        sections.append(f"<h2>Best: {escape(results.monitor)} {number(best.value(results.mode))}</h2>")
        sections.append(table(["key", "value"], rows, text_columns=1, whole=True))
        reached = f"Trial {best.number} at epoch {best.best_epoch(results.mode)}; best.yaml is its experiment."
        sections.append(f"<p>{reached}</p>")
    if any(trial.course for trial in results.trials):
        plots = [history_plot(results), course_plot(results)]
        plots += [importance_plot(results.importances)] if results.importances else []
        plots += [key_plot(results, key, parameter) for key, parameter in results.space.items()]
        note = f"<p>{escape(_importance_note(results))}</p>"
        sections.append(f'<h2>What mattered</h2>{legend(results)}{note}<div class="plots">{"".join(plots)}</div>')
    rows = [[_linked(trial), *map(escape, _cells(results, trial)[1:])] for trial in results.trials]
    rows = [
        [f"<b>{cell}</b>" for cell in row] if trial is best else row
        for trial, row in zip(results.trials, rows, strict=True)
    ]
    heads = (*HEADS, *short_names(results.space))
    sections.append("<h2>Trials</h2>" + table(heads, rows, text_columns=2, sortable=True, whole=True))
    failures = _failures(results)
    if failures:
        sections.append(f"<h2>Failed</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in failures)}</ul>")
    return document(f"{results.name}, molfound sweep", sections)


def print_results(results: Results) -> None:
    """Print the table of the trials, and the best."""
    shown_table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column, head in enumerate((*HEADS, *short_names(results.space))):
        shown_table.add_column(head, justify="left" if column == 1 else "right", no_wrap=True)
    for trial in results.trials:
        shown_table.add_row(*_cells(results, trial), style="bold" if trial is results.best else None)
    print(_about(results))
    print_table(shown_table)
    for line in (*_failures(results), _best_told(results)):
        print(line)


def short_names(keys: Iterable[str]) -> list[str]:
    """Return of each key the shortest end that no other has.

    >>> short_names(["training.optimizer.lr", "model.encoder.dropout", "model.inputs.dropout"])
    ['lr', 'encoder.dropout', 'inputs.dropout']
    """
    names = list(keys)

    def ends(key: str) -> list[str]:
        parts = key.split(".")
        return [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]

    found = Counter(end for key in names for end in ends(key))
    return [next((end for end in ends(key) if found[end] == 1), key) for key in names]


def _about(results: Results) -> str:
    counts = ", ".join(
        f"{results.count(state)} {state}"
        for state in ("finished", "pruned", "failed", "running")
        if results.count(state) or state == "finished"
    )
    better = "smaller" if results.mode == "min" else "larger"
    return (
        f"{results.experiment}: {results.monitor} of each trial's best epoch, {better} is better; "
        f"{len(results.trials)} of {results.wanted} trials, {counts}"
    )


def _best_told(results: Results) -> str:
    best = results.best
    if best is None:
        return "No trial has finished yet."
    told = ", ".join(f"{key}={shown(value)}" for key, value in best.values.items())
    return (
        f"Best: trial {best.number}, {results.monitor} {number(best.value(results.mode))} at epoch "
        f"{best.best_epoch(results.mode)}, with {told}. best.yaml is its experiment."
    )


def _importance_note(results: Results) -> str:
    finished = results.count("finished")
    if not results.importances:
        return "What a key matters is told from four finished trials on."
    few = f" Of so few trials ({finished}) it is a hint." if finished < FEW else ""
    return (
        "The share of the variance of the finished trials' values that each key explains alone (fANOVA, Hutter et al., "
        f"2014); what is missing to 1 is explained by several together.{few}"
    )


def _cells(results: Results, trial: Trial) -> list[str]:
    epoch = trial.best_epoch(results.mode)
    found = [str(trial.number), trial.state, number(trial.value(results.mode)), "" if epoch is None else str(epoch)]
    values = (shown(trial.values[key]) for key in results.space)
    return [*found, str(max(trial.course, default=0)), *values]


def _linked(trial: Trial) -> str:
    """Return the trial's number as a link to its report, which one that is not finished has not."""
    report = RunFolder(trial_folder(Path(), trial.number)).report
    return f'<a href="{report.as_posix()}">{trial.number}</a>' if trial.state == "finished" else str(trial.number)


def _failures(results: Results) -> list[str]:
    return [f"trial {trial.number} failed: {trial.reason}" for trial in results.trials if trial.state == "failed"]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")
