"""`molfound finetune`."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from molfound.cli.options import plugins_option
from molfound.cli.train import run_training
from molfound.errors import MolfoundError

if TYPE_CHECKING:
    from molfound.training.assay import AssayKind, SplitKind


@click.command("finetune")
@click.argument("run")
@click.argument("source", metavar="CONFIG|FILE")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--smiles", "column", help="Column with the SMILES; default: as `predict` finds it.")
@click.option("--label", "labels", multiple=True, help="A column to learn (repeatable: all are one task).")
@click.option(
    "--kind",
    type=click.Choice(["regression", "binary"]),
    help="Of the labels; default: binary where all values are 0 or 1, else regression.",
)
@click.option("--split", type=click.Choice(["random", "scaffold"]), help="How FILE is split; default: random.")
@click.option("--head", help="Start from the head of this task of RUN, not from a new one.")
@click.option(
    "-o", "--output", "folder", type=click.Path(path_type=Path), help="Run folder; default: runs/finetune-FILE's name."
)
@click.option("--overwrite", is_flag=True, help="Replace a run, or a finetune.yaml, that is in the folder already.")
@plugins_option
@click.option("--json", "as_json", is_flag=True, help="Print the run folder and the test scores as JSON.")
def command(
    run: str,
    source: str,
    overrides: tuple[str, ...],
    column: str | None,
    labels: tuple[str, ...],
    kind: str | None,
    split: str | None,
    head: str | None,
    folder: Path | None,
    overwrite: bool,
    allow_plugins: bool,
    as_json: bool,
) -> None:
    """Fine-tune the encoder of RUN on a table of measured molecules (FILE), or as CONFIG says.

    Of a table, a manifest and finetune.yaml are written into the folder, for `molfound train` to train again. The
    network, its features and encodings are the run's. A linear probe and nearest neighbours on the run's frozen
    embeddings are scored beside it.

    RUN is a run folder, an archive of one, a model that comes with molfound (toymix-gine), or hf://OWNER/NAME.
    """
    from molfound.data.table_files import is_table_file
    from molfound.training.assay import read_assay
    from molfound.training.finetuning import FineTuning, check_fine_tuning, discard, new_folder
    from molfound.training.train import train

    tuning = FineTuning(run, head, allow_plugins=allow_plugins)
    if is_table_file(source):
        assay = read_assay(Path(source), column, labels, cast("AssayKind | None", kind))
        chosen = cast("SplitKind", split or "random")
        folder = new_folder(Path(source), folder, overwrite=overwrite)
        experiment = tuning.of_assay(assay, chosen, folder, overrides)
        click.echo(f"{assay}; {chosen} split", err=True)
        try:
            remarks = check_fine_tuning(experiment)
        except MolfoundError:
            discard(folder)
            raise
        for remark in remarks:
            click.echo(remark, err=True)
    else:
        given = {"--smiles": column, "--label": labels, "--kind": kind, "--split": split}
        for option, value in given.items():
            if value:
                raise MolfoundError(f"{option} is for a table; '{source}' is taken for a configuration")
        experiment = tuning.of_configuration(source, overrides, folder)
    run_training(lambda: train(experiment, overwrite=overwrite), experiment.run_folder, as_json=as_json)
