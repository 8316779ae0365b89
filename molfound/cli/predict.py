"""`molfound predict`."""

from pathlib import Path

import click

from molfound.cli.options import device_option, molecule_options, plugins_option


@click.command("predict")
@molecule_options
@click.option("--task", "tasks", multiple=True, help="Only this task (may be repeated).")
@click.option(
    "--interval", type=float, help="Also the bounds that hold a regression's value with this probability: 0.9."
)
@click.option("--calibrated", is_flag=True, help="Probabilities calibrated on the run's validation part.")
@device_option
@plugins_option
def command(
    run: Path,
    inputs: tuple[str, ...],
    output: Path | None,
    column: str | None,
    keep: tuple[str, ...],
    conformers: int | None,
    tasks: tuple[str, ...],
    interval: float | None,
    calibrated: bool,
    device: str,
    allow_plugins: bool,
) -> None:
    """Predict with the model of RUN for SMILES, or for the molecules of a CSV, TSV, Parquet, .smi or SDF file.

    One row per input row, in input order; a molecule that cannot be read has its reason in the column `rejected`.
    """
    from molfound.inference import load
    from molfound.inference.files import check_output, write_results
    from molfound.inference.molecules import open_molecules

    if output is not None:
        check_output(output)
    model = load(run, device=device, allow_plugins=allow_plugins)
    predictions = model.predictions(
        tasks=tasks or None, interval=interval, calibrated=calibrated, conformers=conformers
    )
    written = write_results(open_molecules(inputs, column, keep), predictions, output, shown=output is not None)
    if output is not None:
        click.echo(f"{output}: {written}", err=True)
