"""`molfound embed`."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from molfound.cli.options import device_option, molecule_options, plugins_option
from molfound.cli.results import write_results_of

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
    run: str,
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

    RUN is a run folder, an archive of one, a model that comes with molfound (toymix-gine), or hf://OWNER/NAME.
    """
    write_results_of(
        run,
        inputs,
        output,
        lambda model: model.embeddings(layer=layer, readout=cast("EmbeddingReadout", readout), conformers=conformers),
        column=column,
        keep=keep,
        device=device,
        allow_plugins=allow_plugins,
    )
