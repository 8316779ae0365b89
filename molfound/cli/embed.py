"""`molfound embed`."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from molfound.cli.options import device_option, molecule_options, plugins_option

if TYPE_CHECKING:
    from molfound.inference.embedding import EmbeddingReadout


@click.command("embed")
@molecule_options
@click.option("--layer", help="inputs, block_1, block_2, … of the encoder; default: the last.")
@click.option(
    "--readout",
    type=click.Choice(["trained", "sum", "mean", "max", "none"]),
    default="trained",
    show_default=True,
    help="trained: what the model's heads read of a molecule; sum, mean or max over its atoms; none: each atom's.",
)
@device_option
@plugins_option
def command(
    run: Path,
    inputs: tuple[str, ...],
    output: Path | None,
    column: str | None,
    keep: tuple[str, ...],
    conformers: int | None,
    layer: str | None,
    readout: str,
    device: str,
    allow_plugins: bool,
) -> None:
    """Embed SMILES, or the molecules of a CSV, TSV, Parquet, .smi or SDF file, with the model of RUN.

    One row per input row, in input order: columns e0, e1, …, or the column `atoms` with a list of numbers per atom.
    """
    from molfound.inference import load
    from molfound.inference.files import check_output, write_results
    from molfound.inference.molecules import open_molecules

    if output is not None:
        check_output(output)
    model = load(run, device=device, allow_plugins=allow_plugins)
    embeddings = model.embeddings(layer=layer, readout=cast("EmbeddingReadout", readout), conformers=conformers)
    written = write_results(open_molecules(inputs, column, keep), embeddings, output, shown=output is not None)
    if output is not None:
        click.echo(f"{output}: {written}", err=True)
