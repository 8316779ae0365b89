"""`molfound predict`."""

from pathlib import Path

import click

from molfound.cli.options import device_option, molecule_options, plugins_option
from molfound.cli.results import write_results_of


@click.command("predict")
@molecule_options
@click.option("--task", "tasks", multiple=True, help="Only this task (may be repeated).")
@click.option(
    "--interval", type=float, help="Also the bounds that hold a regression's value with this probability: 0.9."
)
@click.option("--calibrated", is_flag=True, help="Probabilities calibrated on the run's validation part.")
@click.option("--deviation", is_flag=True, help="Also the standard deviation of each prediction.")
@click.option("--dropout-samples", type=int, help="Mean and standard deviation of so many passes with dropout active.")
@click.option("--applicability", is_flag=True, help="Also whether a molecule is like those of the training.")
@device_option
@plugins_option
def command(
    run: str,
    inputs: tuple[str, ...],
    output: Path | None,
    column: str | None,
    keep: tuple[str, ...],
    conformers: int | None,
    tasks: tuple[str, ...],
    interval: float | None,
    calibrated: bool,
    deviation: bool,
    dropout_samples: int | None,
    applicability: bool,
    device: str,
    allow_plugins: bool,
) -> None:
    """Predict with the model of RUN for SMILES, or for the molecules of a CSV, TSV, Parquet, .smi or SDF file.

    RUN is the folder of a run, or of an ensemble of several.
    One row per input row, in input order; a molecule that cannot be read has its reason in the column `rejected`.

    RUN is a run folder, an archive of one, a model that comes with molfound (toymix-gine), or hf://OWNER/NAME.
    """
    write_results_of(
        run,
        inputs,
        output,
        lambda model: model.predictions(
            tasks=tasks or None,
            interval=interval,
            calibrated=calibrated,
            deviation=deviation,
            dropout_samples=dropout_samples,
            applicability=applicability,
            conformers=conformers,
        ),
        column=column,
        keep=keep,
        device=device,
        allow_plugins=allow_plugins,
    )
