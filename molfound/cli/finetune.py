"""`molfound finetune`."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from molfound.cli.options import plugins_option
from molfound.cli.train import run_training
from molfound.errors import MolfoundError

if TYPE_CHECKING:
    from molfound.config.schema import Experiment
    from molfound.training.assay import AssayKind, SplitKind
    from molfound.training.run_folder import RunFolder


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
@click.option("--folds", type=int, help="Cross-validate on FILE: a member of an ensemble for each of so many folds.")
@click.option("--members", type=int, help="Train so many members of an ensemble, which differ in their seed.")
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
    folds: int | None,
    members: int | None,
    head: str | None,
    folder: Path | None,
    overwrite: bool,
    allow_plugins: bool,
    as_json: bool,
) -> None:
    """Fine-tune the encoder of RUN on a table of measured molecules (FILE), or as CONFIG says.

    Of a table, a manifest and finetune.yaml are written into the folder, for `molfound train` to train again. The
    network, its features and encodings are the run's. A linear probe and nearest neighbours on the run's frozen
    embeddings are scored beside it. With --folds or --members the folder is an ensemble, which predicts as a run does.

    RUN is a run folder, an archive of one, a model that comes with molfound (toymix-gine), or hf://OWNER/NAME.
    """
    from molfound.data.table_files import is_table_file
    from molfound.training.assay import read_assay
    from molfound.training.cross_validation import fold_experiments
    from molfound.training.ensembling import seeded, train_ensemble
    from molfound.training.finetuning import FineTuning, new_folder, undone_where_refused
    from molfound.training.finetuning_check import check_fine_tuning
    from molfound.training.train import train

    if folds is not None and members is not None:
        raise MolfoundError("--folds trains a member for each fold, --members several on one split: choose one")
    tuning = FineTuning(run, head, allow_plugins=allow_plugins)

    def trained(experiment: "Experiment") -> "list[Experiment]":
        if folds is not None:
            return fold_experiments(experiment)
        return [experiment] if members is None else seeded(experiment, members)

    is_table = is_table_file(source)
    if is_table:
        assay = read_assay(Path(source), column, labels, cast("AssayKind | None", kind))
        chosen = cast("SplitKind", split or "random")
        folder = new_folder(Path(source), folder, overwrite=overwrite)
        with undone_where_refused(folder):
            experiment = tuning.of_assay(assay, chosen, folder, overrides, folds=folds)
            click.echo(f"{assay}; {chosen} split" + ("" if folds is None else f" into {folds} folds"), err=True)
            experiments = trained(experiment)
            remarks = check_fine_tuning(experiments if folds is not None else [experiment])
        for remark in remarks:
            click.echo(remark, err=True)
    else:
        given = {"--smiles": column, "--label": labels or None, "--kind": kind, "--split": split, "--folds": folds}
        for option, value in given.items():
            if value is not None:
                raise MolfoundError(f"{option} is for a table; '{source}' is taken for a configuration")
        experiment = tuning.of_configuration(source, overrides, folder)
        experiments = trained(experiment)

    def start() -> "RunFolder":
        if len(experiments) > 1:
            return train_ensemble(experiments, experiment.run_folder, overwrite=overwrite, checked=is_table)
        return train(experiment, overwrite=overwrite)

    run_training(start, experiment.run_folder, as_json=as_json)
