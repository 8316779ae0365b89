"""`molfound predict`."""

from pathlib import Path

import click

from molfound.cli.options import device_option, plugins_option


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, metavar="FILE|SMILES...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="CSV or Parquet file; default: CSV on the standard output."
)
@click.option(
    "--smiles",
    "column",
    help="Column with the SMILES; default: the first that is called smiles, ordered_smiles, canonical_smiles or drug.",
)
@click.option("--task", "tasks", multiple=True, help="Only this task (may be repeated).")
@click.option("--conformers", type=int, help="Make so many per molecule and average over them.")
@device_option
@plugins_option
def command(
    run: Path,
    inputs: tuple[str, ...],
    output: Path | None,
    column: str | None,
    tasks: tuple[str, ...],
    conformers: int | None,
    device: str,
    allow_plugins: bool,
) -> None:
    """Predict with the model of RUN for SMILES, or for the molecules of a CSV, TSV, Parquet or .smi file.

    One row per input row, in input order; a molecule that cannot be read has its reason in the column `rejected`.
    """
    from molfound.inference import load
    from molfound.inference.files import predict_to_file

    model = load(run, device=device, allow_plugins=allow_plugins)
    predict_to_file(model, inputs, output, column=column, tasks=tasks or None, conformers=conformers)
