"""A suite's results in Markdown, HTML and plain text: a table per task and split, then single against multi."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from molfound.benchmark.results import Figure, Results
from molfound.benchmark.suite import LoadedSuite
from molfound.training.report.page import document
from molfound.training.report.tables import number, table

LEARNED = {"single": "alone", "multi": "together"}
LEGEND = (
    "Figures of the test part: mean over a task's labels, then mean ± standard deviation over the seeds. ↑: more is "
    "better, ↓: less is better. Bold: the best of this suite's own models and baselines; published figures stand in "
    "italics with the number of their note, and are not compared, for their protocol differs."
)
BASELINES = {
    "mean": "training mean",
    "forest": "random forest, Morgan counts",
    "boosting": "gradient boosting, Morgan counts",
    "probe": "linear probe, frozen embeddings",
    "knn": "nearest neighbours, frozen embeddings",
}


@dataclass(frozen=True)
class _Cell:
    text: str
    style: str = ""  # "", "bold" or "italic"


@dataclass(frozen=True)
class _Table:
    title: str
    heads: tuple[str, ...]
    rows: list[list[_Cell]]
    text_columns: int


def markdown_page(loaded: LoadedSuite, results: Results) -> str:
    """Return the results as a Markdown page."""
    lines = [f"# {loaded.suite.title}", "", *_paragraphs(loaded), ""]
    marks = {"": "", "bold": "**", "italic": "*"}
    for part in _tables(loaded, results):
        lines += [f"## {part.title}", "", _row(part.heads)]
        lines.append(_row("---" if i < part.text_columns else "---:" for i in range(len(part.heads))))
        for row in part.rows:
            lines.append(_row(f"{marks[cell.style]}{_safe(cell.text)}{marks[cell.style]}" for cell in row))
        lines.append("")
    lines += [f"{number}. {note}" for number, note in enumerate(_notes(loaded), 1)]
    lines += ["", *(f"- {line}" for line in _unfinished(results))]
    return "\n".join(lines).rstrip() + "\n"


def html_page(loaded: LoadedSuite, results: Results) -> str:
    """Return the results as one HTML file that needs no network."""
    tags = {"": "{}", "bold": "<b>{}</b>", "italic": "<i>{}</i>"}
    sections = [f"<h1>{escape(loaded.suite.title)}</h1>"]
    sections += [f"<p>{escape(paragraph)}</p>" for paragraph in _paragraphs(loaded) if paragraph]
    for part in _tables(loaded, results):
        rows = [
            [tags[cell.style].format(escape(cell.text).replace(" ", "&nbsp;")) for cell in row] for row in part.rows
        ]
        shown = table(part.heads, rows, text_columns=part.text_columns, whole=True)
        sections.append(f"<h2>{escape(part.title)}</h2>{shown}")
    notes, unfinished = _notes(loaded), _unfinished(results)
    if notes:
        sections.append(f"<h2>Published</h2><ol>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ol>")
    if unfinished:
        sections.append(f"<h2>Not finished</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in unfinished)}</ul>")
    return document(f"{loaded.suite.title}, molfound benchmark", sections)


def text_page(loaded: LoadedSuite, results: Results) -> str:
    """Return the tables as plain text in columns, a star behind the best."""
    lines = []
    for part in _tables(loaded, results):
        rows = [[cell.text + " *" * (cell.style == "bold") for cell in row] for row in part.rows]
        lines += [part.title, *aligned([part.heads, *rows], part.text_columns), ""]
    return "\n".join([*lines, *_unfinished(results)]).rstrip()


def aligned(rows: Sequence[Sequence[str]], text_columns: int) -> list[str]:
    """Return rows as lines of columns, the first of them to the left and the others, numbers, to the right.

    Example:
        >>> aligned([["model", "mae"], ["gin", "0.25"]], text_columns=1)
        ['model   mae', 'gin    0.25']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [
        (
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return ["  ".join(cells).rstrip() for cells in padded]


def _paragraphs(loaded: LoadedSuite) -> list[str]:
    description = loaded.suite.description.strip()
    return [*([description, ""] if description else []), LEGEND]


def _tables(loaded: LoadedSuite, results: Results) -> Iterator[_Table]:
    own = [figure for figure in results.figures if figure.kind != "published"]
    tasks = list(dict.fromkeys((figure.split, figure.task) for figure in own))
    for split in dict.fromkeys(split for split, _ in tasks):
        overview = [
            _first_metric([f for f in results.figures if f.task == t and f.split in (s, None)])
            for s, t in tasks
            if s == split
        ]
        if len(overview) > 1:
            yield _models_table(loaded, f"All tasks, {split} split", overview)
    for split, task in tasks:
        beside = [f for f in results.figures if f.task == task and f.split in (split, None)]
        columns = dict.fromkeys(f.metric for f in beside if f.kind != "published")
        yield _models_table(loaded, f"{task}, {split} split", [_of_metric(beside, metric) for metric in columns])
    comparison = _comparison(own)
    if comparison.rows:
        yield comparison


class _Column(NamedTuple):
    head: str
    figures: list[Figure]


def _of_metric(figures: Sequence[Figure], metric: str) -> _Column:
    """Return the column of one metric of a task."""
    found = [figure for figure in figures if figure.metric == metric]
    return _Column(f"{metric} {'↑' if found[0].greater_is_better else '↓'}", found)


def _first_metric(figures: Sequence[Figure]) -> _Column:
    """Return the column of a task's first metric, under the task's name too."""
    column = _of_metric(figures, next(figure.metric for figure in figures if figure.kind != "published"))
    return column._replace(head=f"{figures[0].task} {column.head}")


def _models_table(loaded: LoadedSuite, title: str, columns: Sequence[_Column]) -> _Table:
    """Return a row for each model that has a figure in one of the columns."""
    sources = [entry.source for entry in loaded.suite.published]
    by_row: dict[tuple[str, str, str, str | None], dict[str, Figure]] = {}
    order = {"baseline": 0, "model": 1, "published": 2}
    for figure, head in sorted(
        ((figure, column.head) for column in columns for figure in column.figures), key=lambda pair: order[pair[0].kind]
    ):
        by_row.setdefault((figure.kind, figure.model, figure.learned, figure.source), {})[head] = figure
    rows = []
    for (kind, model, learned, source), found in by_row.items():
        name = BASELINES[model] if kind == "baseline" else model
        seeds = max(figure.seeds for figure in found.values())
        if source is not None:
            cells = [_Cell(f"{name} [{sources.index(source) + 1}]", "italic"), _Cell(LEARNED[learned]), _Cell("")]
        else:
            cells = [_Cell(name), _Cell(LEARNED[learned]), _Cell(str(seeds))]
        for column in columns:
            cells.append(_value(found[column.head], seeds) if column.head in found else _Cell(""))
        rows.append(cells)
    return _Table(title, ("model", "learned", "seeds", *(column.head for column in columns)), rows, text_columns=2)


def _value(figure: Figure, seeds: int) -> _Cell:
    text = number(figure.mean)
    if figure.deviation is not None:
        text += f" ± {figure.deviation:.2g}"
    if figure.kind != "published" and figure.mean is not None and figure.seeds < seeds:
        text += f" ({figure.seeds} seeds)"  # undefined with the others
    return _Cell(text, "italic" if figure.kind == "published" else "bold" if figure.best else "")


def _comparison(figures: Sequence[Figure]) -> _Table:
    """Return a row for each metric of a model that has learned a task alone and with the others."""
    pairs: dict[tuple[str | None, str, str, str], dict[str, Figure]] = {}
    for figure in figures:
        if figure.kind == "model":
            pairs.setdefault((figure.split, figure.task, figure.model, figure.metric), {})[figure.learned] = figure
    rows = []
    for (split, task, model, metric), pair in pairs.items():
        if len(pair) < 2:
            continue
        single, multi = pair["single"], pair["multi"]
        better = ""
        if single.mean is not None and multi.mean is not None and single.mean != multi.mean:
            multi_wins = (multi.mean > single.mean) == single.greater_is_better
            better = LEARNED["multi" if multi_wins else "single"]
        texts = [f"{task}, {split}", model, metric, better]
        figures_beside = [_value(replaced, replaced.seeds) for replaced in (single, multi)]
        rows.append([*map(_Cell, texts), *(_Cell(cell.text) for cell in figures_beside)])
    heads = ("task, split", "model", "metric", "better", LEARNED["single"], LEARNED["multi"])
    return _Table("Alone against together", heads, rows, text_columns=4)


def _notes(loaded: LoadedSuite) -> list[str]:
    return [f"{entry.source}. Protocol: {entry.differs.strip()}" for entry in loaded.suite.published]


def _unfinished(results: Results) -> list[str]:
    """Return a line for each cell that failed, and one that counts those that have not been trained to the end."""
    lines = [f"{cell['cell']} failed: {cell['reason']}" for cell in results.cells if cell["state"] == "failed"]
    waiting = sum(cell["state"] in ("waiting", "interrupted") for cell in results.cells)
    return [*lines, *([f"{waiting} of {len(results.cells)} cells are not finished"] if waiting else [])]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")
