"""Optuna's share of a sweep: what is tried next, which trials are stopped early, and the journal of all of it."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field

from molfound.config import Component
from molfound.config.schema import Count
from molfound.data.sampler import random_words
from molfound.registry import Registry
from molfound.sweep.sweep_file import LoadedSweep, Parameter
from molfound.sweep.trial import Mode, State, Trial

STUDY = "sweep"
JOURNAL = "journal.log"
REASON = "reason"
STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
FEWEST_FOR_IMPORTANCE = 4

pruners: Registry[Callable[..., BasePruner]] = Registry("pruner")
"""Rules by which a trial is stopped after an epoch, as Optuna has them."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pruners.register("median")
def _median(*, trials: Count = 5, epochs: Count = 1) -> BasePruner:
    """Stop a trial, from `epochs` on, that is worse than the median of the finished ones, once there are `trials`."""
    return MedianPruner(n_startup_trials=trials, n_warmup_steps=epochs)


@pruners.register("halving")
def _halving(*, epochs: Count = 1, factor: Annotated[int, Field(ge=2)] = 3) -> BasePruner:
    """Let the best of each `factor` trials go on after `epochs`, epochs·factor, epochs·factor², … (Li et al., 2020)."""
    return SuccessiveHalvingPruner(min_resource=epochs, reduction_factor=factor)


def distribution(parameter: Parameter) -> BaseDistribution:
    """Return Optuna's form of a parameter; choices, which may be anything, are their texts in JSON."""
    if parameter.choice is not None:
        return CategoricalDistribution([json.dumps(value) for value in parameter.choice])
    if parameter.int is not None:
        return IntDistribution(*parameter.int)
    if parameter.log_uniform is not None:
        return FloatDistribution(*parameter.log_uniform, log=True)
    assert parameter.uniform is not None
    return FloatDistribution(*parameter.uniform)


class Study:
    """The trials of a sweep, in a journal in its folder; one process at a time begins and ends them.

    What is tried is a function of the sweep's seed, the trial's number and how the trials before it went: the same for
    a sweep that was killed and called again.

    Args:
        folder: of the sweep; made if it is not there.
        loaded: the sweep.
    """

    def __init__(self, folder: Path, loaded: LoadedSweep) -> None:
        self.folder, self.loaded = folder, loaded
        self.distributions = {key: distribution(parameter) for key, parameter in loaded.sweep.space.items()}
        folder.mkdir(parents=True, exist_ok=True)
        mend_journal(folder / JOURNAL)
        self.study, self.storage = _open(folder, loaded.sweep.pruner, loaded.mode)

    def trials(self) -> list[Trial]:
        """Return all trials by number."""
        return [self._trial(trial) for trial in self.study.get_trials()]

    def begin(self) -> Trial:
        """Record another trial, of values that were not tried before, as running, and return it."""
        values = self._proposed()
        state = TrialState.RUNNING
        # In one line of the journal, so that no moment at which this may be killed leaves half a trial.
        self.study.add_trial(optuna.create_trial(state=state, params=values, distributions=self.distributions))
        return self.trials()[-1]

    def finish(self, trial: Trial) -> None:
        """Record that a trial came to its end, with its best value."""
        value = self.trials()[trial.number].value(self.loaded.mode)
        assert value is not None
        self.study.tell(trial.number, value)

    def fail(self, trial: Trial, reason: str) -> None:
        """Record that a trial failed, and why."""
        self.storage.set_trial_user_attr(_trial_id(self.storage, trial.number), REASON, reason)
        self.study.tell(trial.number, state=TrialState.FAIL)

    def watch(self, trial: Trial) -> "TrialWatch":
        """Return what tells the journal of a trial's epochs, and ends it where the pruner says so."""
        return TrialWatch(self.folder, self.loaded.sweep.pruner, self.loaded.mode, trial.number)

    def importances(self) -> dict[str, float]:
        """Return the share of each key in the variance of the finished trials' values, the largest first.

        By a functional analysis of variance of a random forest (fANOVA; Hutter et al., 2014): what a key explains
        alone, over its whole range, a logarithmic one by its logarithm; what is missing to 1 is explained by several
        together. Empty where there are too few trials, or all values are equal.
        """
        finished = self.study.get_trials(states=(TrialState.COMPLETE,))
        if len(finished) < FEWEST_FOR_IMPORTANCE or len({trial.value for trial in finished}) == 1:
            return {}
        # Optuna's forest knows no logarithms.
        scratch = optuna.create_study(direction=self.study.direction)
        scratch.add_trials([self._with_logarithms(trial) for trial in finished])
        shares = FanovaImportanceEvaluator(seed=0).evaluate(scratch)
        return {key: float(share) for key, share in shares.items()}

    def _proposed(self) -> dict[str, Any]:
        before = self.study.get_trials()
        attempt = 0
        while True:
            word = random_words(self.loaded.sweep.seed, "sweep", len(before), attempt, size=1)[0]
            seed = int(word >> np.uint64(32))
            # Where the sampler comes back to what was tried, which a few choices invite, chance goes on.
            sampler: BaseSampler = TPESampler(seed=seed) if attempt == 0 else RandomSampler(seed=seed)
            scratch = optuna.create_study(direction=self.study.direction, sampler=sampler)
            scratch.add_trials(before)
            values = scratch.ask(self.distributions).params
            if all(values != trial.params for trial in before):
                return values
            attempt += 1

    def _with_logarithms(self, trial: FrozenTrial) -> FrozenTrial:
        values, distributions = dict(trial.params), dict(self.distributions)
        for key, parameter in self.loaded.sweep.space.items():
            if parameter.log_uniform is not None:
                low, high = parameter.log_uniform
                distributions[key] = FloatDistribution(math.log(low), math.log(high))
                values[key] = math.log(values[key])
        return optuna.create_trial(params=values, distributions=distributions, value=trial.value)

    def _trial(self, trial: FrozenTrial) -> Trial:
        # Optuna keeps parameters by name, not in the order of the space.
        values = {key: _value(trial.params[key], self.loaded.sweep.space[key]) for key in self.distributions}
        return Trial(trial.number, STATES[trial.state], values, trial.intermediate_values, trial.user_attrs.get(REASON))


@dataclass(frozen=True)
class TrialWatch:
    """Tells the journal of a trial's epochs and asks the pruner; it can be sent to another process.

    Attributes:
        folder: of the sweep.
        pruner: its pruner.
        mode: which figure is better.
        number: of the trial.
    """

    folder: Path
    pruner: Component | None
    mode: Mode
    number: int

    def __call__(self, epoch: int, figure: float) -> bool:
        """Record the figure, and that the trial is pruned if this is returned."""
        study, storage = _open(self.folder, self.pruner, self.mode)
        trial = optuna.trial.Trial(study, _trial_id(storage, self.number))
        if epoch not in study.get_trials()[self.number].intermediate_values:
            trial.report(figure, epoch)
        if not trial.should_prune():
            return False
        study.tell(self.number, state=TrialState.PRUNED)
        return True


def mend_journal(path: Path) -> None:
    """Remove what a process that was killed while it wrote has left: the beginning of a line, and its lock."""
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    if path.is_file():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)


def _open(folder: Path, pruner: Component | None, mode: Mode) -> tuple[optuna.Study, JournalStorage]:
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    rule = NopPruner() if pruner is None else pruners.build(pruner.name, **pruner.options)
    if STUDY in optuna.get_all_study_names(storage):
        return optuna.load_study(study_name=STUDY, storage=storage, pruner=rule), storage
    direction = StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE
    return optuna.create_study(study_name=STUDY, storage=storage, pruner=rule, direction=direction), storage


def _trial_id(storage: JournalStorage, number: int) -> int:
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(STUDY), number)


def _value(stored: Any, parameter: Parameter) -> Any:
    return stored if parameter.choice is None else json.loads(stored)
