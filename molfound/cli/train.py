"""`molfound train`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from molfound.errors import MolfoundError

if TYPE_CHECKING:
    from molfound.training.run_folder import RunFolder


@click.command("train")
@click.argument("config", required=False)
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--resume", "resume_folder", type=click.Path(path_type=Path), help="Go on with the run in this folder.")
@click.option("--members", type=int, help="Train so many runs that differ in their seed, as an ensemble.")
@click.option("--overwrite", is_flag=True, help="Replace a run that is in the run folder already.")
@click.option("--allow-plugins", is_flag=True, help="With --resume: execute the run's copies of missing plugins.")
@click.option("--json", "as_json", is_flag=True, help="Print the run folder and the test scores as JSON.")
def command(
    config: str | None,
    overrides: tuple[str, ...],
    resume_folder: Path | None,
    members: int | None,
    overwrite: bool,
    allow_plugins: bool,
    as_json: bool,
) -> None:
    """Train an experiment: CONFIG is a file, or a name such as toymix/gine.

    Data are prepared first where they are not yet. The run folder (runs/<name>, or run.folder) holds the model, the
    figures, the predictions and a report. With --resume no CONFIG is needed; KEY=VALUE may then say where the data lie
    now (data.root=FOLDER). With --members, the run folder holds as many runs, whose predictions are averaged.
    """
    from molfound.config import load_config
    from molfound.model import ensemble_members
    from molfound.training.ensembling import resume_ensemble, seeded, train_ensemble
    from molfound.training.run_folder import RunFolder
    from molfound.training.train import resume, train

    if resume_folder is not None and overwrite:
        raise MolfoundError("--resume goes on with a run, --overwrite replaces it: choose one")
    if allow_plugins and resume_folder is None:
        raise MolfoundError("--allow-plugins is for a run's copies of plugins (--resume); CONFIG names its own")
    if config is None and resume_folder is None:
        raise MolfoundError("name a configuration (toymix/gine, my.yaml) or a run to --resume")
    is_ensemble = resume_folder is not None and bool(ensemble_members(resume_folder))
    if resume_folder is not None and members is not None:
        raise MolfoundError("--members begins an ensemble; one that is begun goes on with --resume alone")
    if resume_folder is not None and config is not None and "=" in config:
        overrides = (config, *overrides)
        # Without CONFIG the overrides change what the run's own configuration says.
        config = None if is_ensemble else str(RunFolder.existing(resume_folder).config)
    if is_ensemble and config is not None:
        raise MolfoundError("an ensemble goes on without CONFIG: each of its members has its own")
    experiment = None if config is None else load_config(config, overrides)

    def start() -> "RunFolder":
        if resume_folder is not None and is_ensemble:
            return resume_ensemble(resume_folder, overrides, allow_plugins=allow_plugins)
        if resume_folder is not None:
            return resume(resume_folder, experiment, allow_plugins=allow_plugins)
        assert experiment is not None
        if members is not None:
            return train_ensemble(seeded(experiment, members), experiment.run_folder, overwrite=overwrite)
        return train(experiment, overwrite=overwrite)

    place = resume_folder or (experiment.run_folder if experiment is not None else Path("RUN"))
    run_training(start, place, as_json=as_json)


def run_training(start: Callable[[], "RunFolder"], folder: Path, *, as_json: bool) -> None:
    """Train, tell the test figures, or how to go on where the user has interrupted it.

    Args:
        start: trains.
        folder: of the run.
        as_json: whether the figures are told as JSON.
    """
    from molfound.training.recorder import TrainingInterruptedError
    from molfound.training.summary import print_summary

    try:
        run = start()
    except TrainingInterruptedError as interruption:
        click.echo(f"interrupted at {interruption}; go on with: molfound train --resume {folder}", err=True)
        raise SystemExit(130) from None
    print_summary(run, as_json=as_json)
