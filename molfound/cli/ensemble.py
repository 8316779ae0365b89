"""`molfound ensemble`."""

from pathlib import Path

import click

from molfound.cli.options import plugins_option


@click.command("ensemble")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option(
    "-o", "--output", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the ensemble."
)
@click.option("--overwrite", is_flag=True, help="Replace an ensemble, or a run, that is in the folder already.")
@plugins_option
@click.option("--json", "as_json", is_flag=True, help="Print the folder and the test scores as JSON.")
def command(runs: tuple[str, ...], folder: Path, overwrite: bool, allow_plugins: bool, as_json: bool) -> None:
    """Make an ensemble of finished runs, whose predictions it averages.

    The runs have the same features, encodings and tasks, and were trained on one table. The ensemble is calibrated and
    scored on what is in the validation and test parts of all of them.

    RUN is a run folder, an archive of one, or hf://OWNER/NAME. It has to say what data it was trained on (data.json).
    """
    from molfound.training.ensembling import ensemble_of_runs
    from molfound.training.summary import print_summary

    run = ensemble_of_runs(runs, folder, overwrite=overwrite, allow_plugins=allow_plugins)
    print_summary(run, as_json=as_json)
