"""The tables of a report as HTML: metrics beside baselines, and labels that can be sorted."""

from collections.abc import Mapping, Sequence
from html import escape

from molfound.training.report.content import TaskContent

UNDEFINED = "—"


def overview_table(tasks: Sequence[TaskContent], part: str) -> str:
    """Return one row per task: what it is, and its first metric on a part beside the baselines."""
    baselines = baseline_names(tasks) if part == "test" else []
    rows = []
    for task in tasks:
        metrics = task.scores.get(part, {})
        first = next(iter(metrics), None)
        figures = [metrics[first]["mean"] if first else None]
        figures += [task.baselines.get(name, {}).get(first) if first else None for name in baselines]
        link = f'<a href="#task-{escape(task.name)}">{escape(task.name)}</a>'
        cells = [link, escape(task.level), escape(task.kind), str(len(task.labels)), escape(first or UNDEFINED)]
        rows.append([*cells, *(number(figure) for figure in figures)])
    return table(["task", "level", "kind", "labels", "metric", "model", *baselines], rows, text_columns=5, name="tasks")


def metrics_table(task: TaskContent) -> str:
    """Return one row per metric: its mean over labels on each part, the baselines' on the test part."""
    baselines = list(task.baselines)
    metrics = list(dict.fromkeys(metric for scores in task.scores.values() for metric in scores))
    rows = []
    for metric in metrics:
        cells = [escape(metric)]
        for scores in task.scores.values():
            score = scores.get(metric, {})
            undefined = score.get("undefined", 0)
            remark = f" <small>({undefined} undefined)</small>" if undefined else ""
            cells.append(number(score.get("mean")) + remark)
        rows.append([*cells, *(number(task.baselines[name].get(metric)) for name in baselines)])
    heads = ["metric", *task.scores, *(f"{name} (test)" for name in baselines)]
    return table(heads, rows, text_columns=1, name=f"metrics of {task.name}")


def calibration_table(task: TaskContent) -> str:
    """Return what the test part says of intervals and probabilities that were calibrated on the validation part."""
    figures = task.calibration
    if task.kind == "regression":
        rows = [
            [name.removeprefix("coverage_"), number(share)]
            for name, share in figures.items()
            if name.startswith("coverage_")
        ]
        intervals = table(["interval for", "share of test values inside"], rows, text_columns=1, name="intervals")
        if "z_scores" not in figures:
            return intervals
        told = [
            ["errors in units of their deviations, root of the mean square", number(figures["z_scores"])],
            ["rank correlation of deviation and error", number(figures["error_rank"])],
        ]
        return intervals + table(["predicted deviations", "mean over labels, test"], told, text_columns=1)
    rows = [
        [escape(said), number(figures.get(name)), number(figures.get(f"{name}_calibrated"))]
        for name, said in (("calibration_error", "calibration error (10 bins)"), ("brier", "Brier score"))
    ]
    return table(
        ["mean over labels, test", "as the model says", "calibrated"], rows, text_columns=1, name="calibration"
    )


def label_table(task: TaskContent, part: str) -> str:
    """Return one row per label of a part: values used and every metric that has a value by label.

    A click on a column's head sorts by it.
    """
    scores = {metric: score for metric, score in task.scores[part].items() if score["labels"]}
    used: Mapping[str, int] = next((score["used"] for score in scores.values()), {})
    rows = [
        [escape(label), str(used.get(label, 0)), *(number(score["labels"].get(label)) for score in scores.values())]
        for label in task.labels
    ]
    return table(["label", "values", *scores], rows, text_columns=1, sortable=True, name=f"labels of {task.name}")


def baseline_names(tasks: Sequence[TaskContent]) -> list[str]:
    """Return the names of all baselines of the tasks, in their order."""
    return list(dict.fromkeys(name for task in tasks for name in task.baselines))


def number(value: float | None) -> str:
    """Return a figure to four significant digits, a dash for an undefined one."""
    return UNDEFINED if value is None else f"{value:#.4g}".removesuffix(".")


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text_columns: int,
    sortable: bool = False,
    whole: bool = False,
    name: str = "table",
) -> str:
    """Return a table from plain heads and escaped cells; all but the first columns are numbers.

    A long one scrolls in a box of its own, which the keyboard reaches, unless it is to be seen whole; `name` says what
    is in the box.
    """
    styles = ["" if column < text_columns else ' class="number"' for column in range(len(heads))]
    names = [f'<button type="button">{escape(head)}</button>' if sortable else escape(head) for head in heads]
    head = "".join(f'<th scope="col"{style}>{head}</th>' for style, head in zip(styles, names, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{style}>{cell}</td>' for style, cell in zip(styles, row, strict=True))}</tr>"
        for row in rows
    )
    kind = ' class="sortable"' if sortable else ""
    box = "scroll whole" if whole else "scroll"
    place = f'class="{box}" role="region" aria-label="{escape(name)}" tabindex="0"'
    return f"<div {place}><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
