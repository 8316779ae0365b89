"""What `predict` and `embed` do with the molecules that they are given."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from molfound.inference import Predictor
    from molfound.inference.predictor import RowsToTable


def write_results_of(
    run: str,
    inputs: Sequence[str],
    output: Path | None,
    made: "Callable[[Predictor], RowsToTable]",
    *,
    column: str | None,
    keep: Sequence[str],
    device: str,
    allow_plugins: bool,
) -> None:
    """Load a run, and write what is made of molecules to a file, which is then told, or print it."""
    from molfound.inference import load
    from molfound.inference.files import check_output, write_results
    from molfound.inference.molecules import open_molecules

    source = open_molecules(inputs, column, keep)
    if output is not None:
        check_output(output, source.path)
    table = made(load(run, device=device, allow_plugins=allow_plugins))
    written = write_results(source, table, output, shown=output is not None)
    if output is not None:
        click.echo(f"{output}: {written}", err=True)
