"""`molfound bench quality` and `bench speed`."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molfound.cli.data import data_option
from molfound.errors import MolfoundError

if TYPE_CHECKING:
    from molfound.benchmark.plan import PlannedCell
    from molfound.benchmark.results import Results
    from molfound.benchmark.speed import Measured


@click.group("bench")
def command() -> None:
    """Measure the quality of models over datasets, splits and seeds, or the speed of the code."""


@command.command("quality")
@click.argument("suite")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("-o", "--folder", type=click.Path(path_type=Path), help="Of all runs and results; default: bench/SUITE.")
@click.option(
    "--only",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Only these cells, by their name DATASET/SPLIT/MODEL/seedN or its beginning, with * and ?; may be repeated.",
)
@click.option(
    "--plan", "--dry-run", "plan_only", is_flag=True, help="List the cells, train none: size, molecules, state."
)
@click.option("--table", "table_only", is_flag=True, help="Write the results of what is finished, train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan or the results as JSON.")
def quality(
    suite: str,
    overrides: tuple[str, ...],
    folder: Path | None,
    patterns: tuple[str, ...],
    plan_only: bool,
    table_only: bool,
    as_json: bool,
) -> None:
    """Train the models of SUITE on its datasets and write the table of their test figures.

    SUITE is a shipped suite (toymix, moleculenet, admet, quantum, transfer) or a YAML file of one's own. Each cell is
    one training: a dataset or all together (multi), a split, a model or baseline, a seed. The folder gets a run folder
    for each, results.json, table.md and table.html, which are renewed after each cell. Called again, finished cells are
    skipped and interrupted ones go on. KEY=VALUE changes every cell's configuration: training.epochs=2.
    """
    from molfound.benchmark.cells import check_unchanged, chosen_cells, suite_cells
    from molfound.benchmark.plan import check_possible, plan
    from molfound.benchmark.quality import SuiteInterruptedError, one_runner, run_cells
    from molfound.benchmark.results import collect, to_json
    from molfound.benchmark.suite import load_suite
    from molfound.benchmark.table import html_page, markdown_page, text_page
    from molfound.data.shards import write_atomically

    if plan_only and table_only:
        raise MolfoundError("--plan says what would be trained, --table what was: choose one")
    loaded = load_suite(suite)
    chosen_folder = folder or Path("bench") / loaded.name
    cells = suite_cells(loaded, chosen_folder, overrides)
    chosen = chosen_cells(cells, patterns)

    def written(failed: dict[str, str]) -> "Results":
        results = collect(loaded, cells, failed)
        write_atomically(chosen_folder / "results.json", to_json(loaded, results).encode())
        write_atomically(chosen_folder / "table.md", markdown_page(loaded, results).encode())
        write_atomically(chosen_folder / "table.html", html_page(loaded, results).encode())
        return results

    check_unchanged(cells)
    failed: dict[str, str] = {}
    if not table_only:
        planned = plan(loaded, chosen)
        if plan_only:
            _show_plan(planned, as_json=as_json)
            return
        check_possible(planned)
        with one_runner(chosen_folder):
            try:
                failed = run_cells(chosen, say=lambda line: click.echo(line, err=True), after_each=written)
            except SuiteInterruptedError as interruption:
                only = [word for pattern in patterns for word in ("--only", pattern)]
                again = shlex.join([suite, *overrides, "-o", str(chosen_folder), *only])
                click.echo(f"interrupted in {interruption}; go on with: molfound bench quality {again}", err=True)
                raise SystemExit(130) from None
            results = written(failed)
    else:
        results = written({})
    if as_json:
        click.echo(to_json(loaded, results), nl=False)
    else:
        click.echo(text_page(loaded, results))
        click.echo(f"written to {chosen_folder}: results.json, table.md, table.html")
    if failed:
        first, reason = next(iter(failed.items()))
        raise MolfoundError(f"{len(failed)} of {len(chosen)} cells failed; {first}: {reason}")


@command.command("speed")
@click.argument("names", nargs=-1, metavar="[SCRIPT]...")
@click.option("--repeat", type=click.IntRange(min=1), default=1, show_default=True, help="How often each is run.")
@click.option("--against", type=click.Path(path_type=Path), help="An earlier result, to mark what became slower.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("speed.json"),
    show_default=True,
    help="File of the result; renewed after each script.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Of the scripts; default: benchmarks/ of the checkout.")
@data_option
def speed(
    names: tuple[str, ...], repeat: int, against: Path | None, output: Path, folder: Path | None, root: Path | None
) -> None:
    """Run the scripts of benchmarks/, or those of these names, and print one table with the machine's description.

    Each tells a ratio to a rival and the bar that it has to reach. With --against a script is marked slower where its
    median ratio is worse by more than the spread of the repeats, now or then, and more than 5 %. Exit status 1: a
    script failed.
    """
    from molfound.benchmark.machine import machine, machine_line
    from molfound.benchmark.speed import find_scripts, measure_scripts, read_measured, to_json
    from molfound.data.shards import write_atomically

    scripts = find_scripts(names, folder)
    before = read_measured(against) if against is not None else None

    def keep(found: "dict[str, Measured]") -> None:
        write_atomically(output, to_json(found).encode())

    found = measure_scripts(
        scripts, repeat=repeat, data=root, say=lambda line: click.echo(line, err=True), after_each=keep
    )
    click.echo(machine_line(machine()))
    if before is not None:
        click.echo(f"against {against}: {machine_line(before[0])}")
    _show_speed(found, before[1] if before is not None else None)
    click.echo(f"written to {output}")
    if any(measured.failed is not None for measured in found.values()):
        raise SystemExit(1)


def _show_plan(planned: "Sequence[PlannedCell]", *, as_json: bool) -> None:
    import json

    from molfound.benchmark.table import aligned

    rows: list[dict[str, Any]] = [
        {
            "cell": entry.cell.name,
            "state": entry.cell.state,
            "parameters": entry.parameters,
            "rows": dict(entry.rows),
            "epochs": None if entry.cell.baseline else entry.cell.experiment.training.epochs,
            "problem": entry.problem,
        }
        for entry in planned
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    lines = [["cell", "state", "parameters", "epochs", "train", "val", "test"]]
    for row in rows:
        numbers = [row["parameters"], row["epochs"], *(row["rows"][part] or None for part in ("train", "val", "test"))]
        lines.append([row["cell"], row["state"], *("" if value is None else f"{value:,}" for value in numbers)])
    head, *told = aligned(lines, text_columns=2)
    click.echo(head)
    for line, row in zip(told, rows, strict=True):
        click.echo(line if row["problem"] is None else f"{row['cell']}: {row['problem']}")
    hindered = sum(row["problem"] is not None for row in rows)
    click.echo(f"{len(rows)} cells" + (f", {hindered} of which cannot be trained" if hindered else ""))


def _show_speed(found: "dict[str, Measured]", earlier: "dict[str, Measured] | None") -> None:
    from molfound.benchmark.speed import verdict
    from molfound.benchmark.table import aligned

    heads = ["script", "ratio", "spread", "bar", "met", "seconds"] + (["earlier", "now"] if earlier is not None else [])
    rows = []
    for name, measured in found.items():
        if measured.ratio is None or measured.bar is None:
            row = [name, "failed", "", "", "", ""]
        else:
            sign = "≤" if measured.better == "lower" else "≥"
            spread = f"{measured.spread:.3g}" if len(measured.ratios) > 1 else ""
            met = "failed" if measured.failed is not None else "yes" if measured.met else "no"
            seconds = f"{sum(measured.seconds) / len(measured.seconds):.1f}"
            row = [name, f"{measured.ratio:.4g}", spread, f"{sign} {measured.bar:g}", met, seconds]
        if earlier is not None:
            then = earlier.get(name)
            row += ["" if then is None or then.ratio is None else f"{then.ratio:.4g}", verdict(measured, then)]
        rows.append(row)
    click.echo("\n".join(aligned([heads, *rows], text_columns=1)))
