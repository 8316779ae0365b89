"""`molfound export`."""

from pathlib import Path

import click

from molfound.cli.options import plugins_option
from molfound.errors import MolfoundError


@click.command("export")
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder, or an archive: .zip or .tar.gz. The card is titled by its name. A program: .pt2.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["run", "torch-export"]),
    default="run",
    show_default=True,
    help="run: what every command takes as RUN; torch-export: a program of torch.export, with its inputs in a .json.",
)
@click.option("--licence", help="Of the weights, for the card, as hubs name it: apache-2.0. Default: none is stated.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
@plugins_option
def command(run: str, output: Path, form: str, licence: str | None, overwrite: bool, allow_plugins: bool) -> None:
    """Write the model of RUN and what is known of it, without paths of this machine, to be given away.

    README.md is a model card: what the model predicts, of what data and with what licences it was made, test figures
    and limits. Every command that takes a RUN takes the result.
    """
    from molfound.sharing import export_program, export_run

    if form == "torch-export":
        if licence is not None:
            raise MolfoundError("--licence is for the model card, which a program of torch.export has not")
        difference = export_program(run, output, overwrite=overwrite, allow_plugins=allow_plugins)
        click.echo(f"{output}: differs from the model by {difference:.1g} of 1 + a prediction's size at most", err=True)
        return
    names = export_run(run, output, licence=licence, overwrite=overwrite, allow_plugins=allow_plugins)
    click.echo(f"{output}: {', '.join(names)}", err=True)
