"""`molfound sweep`."""

import shlex
from importlib.util import find_spec
from pathlib import Path

import click

from molfound.errors import MolfoundError


@click.command("sweep")
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("-o", "--folder", type=click.Path(path_type=Path), help="Of all trials; default: sweeps/CONFIG's name.")
@click.option("--trials", type=click.IntRange(min=1), help="How many in all, in place of what CONFIG says.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(config: str, overrides: tuple[str, ...], folder: Path | None, trials: int | None, as_json: bool) -> None:
    """Train an experiment with other values of its keys, and find those that do best on the validation part.

    CONFIG is a shipped sweep (quickstart) or a YAML file of one's own: an experiment, the keys that are varied and the
    values that they may take. The folder gets a run folder for each trial, and results.json, table.md, report.html and
    best.yaml, which are renewed after each trial. Called again, it goes on where it stopped. KEY=VALUE changes the
    experiment of all trials: training.epochs=2.
    """
    if find_spec("optuna") is None:
        raise MolfoundError("molfound sweep needs Optuna: pip install 'molfound[sweep]'")
    from molfound.sweep.checking import check_possible, check_unchanged, one_runner
    from molfound.sweep.page import print_results
    from molfound.sweep.results import collect, to_json, write_results
    from molfound.sweep.running import run_trials
    from molfound.sweep.study import Study
    from molfound.sweep.sweep_file import load_sweep
    from molfound.training.recorder import TrainingInterruptedError

    loaded = load_sweep(config, overrides, trials=trials)
    chosen = folder or Path("sweeps") / loaded.name
    check_possible(loaded)
    with one_runner(chosen):
        check_unchanged(loaded, chosen)
        study = Study(chosen, loaded)
        try:
            run_trials(
                loaded,
                study,
                say=lambda line: click.echo(line, err=True),
                after_each=lambda: write_results(loaded, collect(loaded, study), chosen),
            )
        except (TrainingInterruptedError, KeyboardInterrupt):
            fewer = [] if trials is None else ["--trials", str(trials)]
            again = shlex.join([config, *overrides, "-o", str(chosen), *fewer])
            click.echo(f"interrupted; go on with: molfound sweep {again}", err=True)
            raise SystemExit(130) from None
        results = collect(loaded, study)
        write_results(loaded, results, chosen)
    if as_json:
        click.echo(to_json(results), nl=False)
    else:
        print_results(results)
        click.echo(f"written to {chosen}: results.json, table.md, report.html" + ", best.yaml" * bool(results.best))
