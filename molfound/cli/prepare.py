"""`molfound prepare`."""

import json
from pathlib import Path

import click


@click.command("prepare")
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(config: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Prepare the graph stores of an experiment's datasets.

    What is prepared already is not done again; a preparation that was killed goes on where it was.
    """
    from molfound.config import load_config
    from molfound.plugins import load_plugins
    from molfound.training.mixture import prepare_mixture

    experiment = load_config(config, overrides)
    load_plugins(Path(path) for path in experiment.plugins)
    reports = prepare_mixture(experiment)
    if as_json:
        click.echo(
            json.dumps(
                {
                    name: {"rows": report.rows, "rejected": dict(report.rejected), "folder": str(report.folder)}
                    for name, report in reports.items()
                }
            )
        )
    else:
        for report in reports.values():
            click.echo(str(report))
