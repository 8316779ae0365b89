"""Train the trials of a sweep in turn: an interrupted one goes on, one that fails does not stop the others."""

import time
from collections.abc import Callable
from pathlib import Path

from molfound.errors import MolfoundError
from molfound.sweep.study import Study
from molfound.sweep.sweep_file import LoadedSweep
from molfound.sweep.trial import Trial, best_trial, shown
from molfound.training.out_of_memory import free_what_failed, out_of_memory_told
from molfound.training.recorder import EpochWatch
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train

PATIENCE = 3  # trials that may fail before any has not


def run_trials(
    loaded: LoadedSweep, study: Study, *, say: Callable[[str], None], after_each: Callable[[], object]
) -> None:
    """Bring a sweep to its end.

    Args:
        loaded: the sweep.
        study: its trials.
        say: is told what is being done, a line at a time.
        after_each: called after each trial.

    Raises:
        TrainingInterruptedError: Ctrl-C; the trial goes on when this is called again.
        MolfoundError: the first trials have all failed.
    """
    begun, failed_now = time.monotonic(), 0
    if loaded.wanted < loaded.sweep.trials:
        say(f"the space has {loaded.wanted} combinations of values in all, each of which is tried")
    while True:
        trials = study.trials()
        interrupted = next((trial for trial in trials if trial.state == "running"), None)
        if interrupted is None and len(trials) >= loaded.wanted:
            return
        hours = (time.monotonic() - begun) / 3600
        if interrupted is None and loaded.sweep.hours is not None and hours >= loaded.sweep.hours:
            say(f"no trial is begun after {loaded.sweep.hours:g} hours: {len(trials)} of {loaded.wanted} are done")
            return
        trial = interrupted or study.begin()
        told = ", ".join(f"{key}={shown(value)}" for key, value in trial.values.items())
        say(f"[{trial.number + 1}/{loaded.wanted}] trial {trial.number}{' goes on' if interrupted else ''}: {told}")
        reason = _outcome(loaded, study, trial)
        done = study.trials()
        say(f"[{trial.number + 1}/{loaded.wanted}] {_told(loaded, done, trial.number)}")
        after_each()
        failed_now += done[trial.number].state == "failed"
        if failed_now >= PATIENCE and all(trial.state == "failed" for trial in done):
            raise MolfoundError(f"all {len(done)} trials have failed, the last one: {reason}")


def _outcome(loaded: LoadedSweep, study: Study, trial: Trial) -> str | None:
    """Train a trial, record how it ended, and return the reason if it failed."""
    reason: str | None = None
    try:
        with out_of_memory_told():
            _train(loaded, study.folder, trial, study.watch(trial))
    except MolfoundError as error:
        reason = str(error)
    if reason is not None:
        free_what_failed()
    if study.trials()[trial.number].state != "running":
        return None  # pruned
    if reason is None:
        study.finish(trial)
    else:
        study.fail(trial, reason)
    return reason


def _train(loaded: LoadedSweep, folder: Path, trial: Trial, watch: EpochWatch) -> None:
    experiment = loaded.trial_experiment(folder, trial.number, trial.values)
    run = RunFolder(experiment.run_folder)
    if run.has_progress:
        resume(run.path, experiment, watch=watch)
    else:
        train(experiment, watch=watch)


def _told(loaded: LoadedSweep, trials: list[Trial], number: int) -> str:
    """Return the line that ends a trial."""
    trial, best = trials[number], best_trial(trials, loaded.mode)
    value, epoch = trial.value(loaded.mode), trial.best_epoch(loaded.mode)
    if trial.state == "failed":
        return f"trial {number} failed: {trial.reason}"
    reached = "" if value is None else f"{loaded.monitor} {value:.4g} at epoch {epoch}"
    if trial.state == "pruned":
        return f"trial {number} pruned after epoch {max(trial.course)}, {reached or f'{loaded.monitor} undefined'}"
    if best is None or best.number == number:
        return f"trial {number} finished, {reached}, the best so far"
    return f"trial {number} finished, {reached}; best so far {best.value(loaded.mode):.4g} of trial {best.number}"
