"""`molfound report`."""

from pathlib import Path

import click

from molfound.errors import MolfoundError


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN [RUN]...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The HTML file; default of one RUN: its own.")
def command(runs: tuple[str, ...], output: Path | None) -> None:
    """Write the report of a RUN anew, or a comparison of several.

    RUN is a run folder, an archive of one, a model that comes with molfound (toymix-gine), or hf://OWNER/NAME.

    A report is one HTML file that needs no network. A comparison tells what differs in the runs' configurations, their
    test figures task by task, and lays their learning curves over each other.
    """
    from molfound.training.report import write_report
    from molfound.training.report.comparison import write_comparison

    if len(runs) == 1:
        written = write_report(runs[0], output)
    elif output is None:
        raise MolfoundError("name the file for the comparison of several runs: -o comparison.html")
    else:
        written = write_comparison(runs, output)
    click.echo(str(written))
