"""What a sweep's folder tells: results.json, table.md, report.html, and best.yaml, which `molfound train` takes."""

import json
import math
from pathlib import Path
from typing import Any

from molfound.config import to_yaml
from molfound.data.shards import write_atomically
from molfound.sweep.page import html_page, markdown_page
from molfound.sweep.study import Study
from molfound.sweep.sweep_file import LoadedSweep, trial_folder
from molfound.sweep.trial import Results, Trial


def collect(loaded: LoadedSweep, study: Study) -> Results:
    """Return what a sweep has found so far."""
    sweep = loaded.sweep
    return Results(
        loaded.name,
        loaded.base.name,
        loaded.monitor,
        loaded.mode,
        sweep.space,
        loaded.wanted,
        study.trials(),
        study.importances(),
    )


def write_results(loaded: LoadedSweep, results: Results, folder: Path) -> None:
    """Write the files of a sweep's results, each of them whole or not at all."""
    write_atomically(folder / "results.json", to_json(results).encode())
    write_atomically(folder / "table.md", markdown_page(results).encode())
    write_atomically(folder / "report.html", html_page(results).encode())
    if results.best is not None:
        write_atomically(folder / "best.yaml", best_experiment(loaded, results.best).encode())


def to_json(results: Results) -> str:
    """Return the results as JSON text."""
    told = {
        "sweep": results.name,
        "experiment": results.experiment,
        "monitor": results.monitor,
        "mode": results.mode,
        "wanted": results.wanted,
        "best": None if results.best is None else results.best.number,
        "importances": dict(results.importances),
        "trials": [_told(results, trial) for trial in results.trials],
    }
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def best_experiment(loaded: LoadedSweep, best: Trial) -> str:
    """Return the best trial's experiment as YAML, to be trained again: with baselines, in a folder of its own."""
    experiment = loaded.experiment(best.values)
    run = experiment.run.model_copy(update={"folder": None})
    return to_yaml(experiment.model_copy(update={"name": f"{loaded.name}-best", "run": run}))


def _told(results: Results, trial: Trial) -> dict[str, Any]:
    course = {epoch: value if math.isfinite(value) else None for epoch, value in trial.course.items()}
    value = trial.value(results.mode)
    return {
        "trial": trial.number,
        "state": trial.state,
        "value": value if value is not None and math.isfinite(value) else None,
        "epoch": trial.best_epoch(results.mode),
        "values": dict(trial.values),
        "course": course,
        "run": trial_folder(Path(), trial.number).as_posix(),
        **({"reason": trial.reason} if trial.reason is not None else {}),
    }
