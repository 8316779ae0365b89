"""Options that several verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where the model computes; auto: a GPU where there is one.",
)
plugins_option = click.option(
    "--allow-plugins", is_flag=True, help="Execute the run's own copies of plugins whose originals are gone."
)


def molecule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what `predict` and `embed` share: the run, the molecules, and where the result goes."""
    for option in reversed(
        (
            click.argument("run"),
            click.argument("inputs", nargs=-1, required=True, metavar="FILE|SMILES..."),
            click.option(
                "-o",
                "--output",
                type=click.Path(path_type=Path),
                help="CSV or Parquet file; default: CSV on the standard output.",
            ),
            click.option(
                "--smiles",
                "column",
                help="Column with the SMILES; default: smiles, ordered_smiles, canonical_smiles or drug, the first.",
            ),
            click.option("--keep", multiple=True, help="A column of the input that the output has too (repeatable)."),
            click.option("--conformers", type=int, help="Make so many per molecule and average over them."),
        )
    ):
        command = option(command)
    return command
