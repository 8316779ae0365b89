"""What is tried, told and pruned, on figures made up by a formula instead of trainings."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from molfound.sweep.study import JOURNAL, Study, distribution
from molfound.sweep.sweep_file import Parameter, load_sweep
from molfound.sweep.trial import Trial
from tests.sweep.conftest import WriteSweep

Figure = Callable[[dict[str, Any], int], float]


def by_rate(values: dict[str, Any], epoch: int) -> float:
    """Return a loss that falls over the epochs, the least near a learning rate of 1e-3, and that depth hardly moves."""
    away = abs(math.log10(values["training.optimizer.lr"]) + 3)
    return away + 0.01 * values["model.encoder.depth"] + 1 / epoch


def run(study: Study, trials: int, figure: Figure, epochs: int = 3) -> list[Trial]:
    for _ in range(trials):
        trial = study.begin()
        watch = study.watch(trial)
        if not any(watch(epoch, figure(dict(trial.values), epoch)) for epoch in range(1, epochs + 1)):
            study.finish(trial)
    return study.trials()


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"uniform": [0, 0.5]}, FloatDistribution(0, 0.5)),
        ({"log_uniform": [1e-4, 1e-2]}, FloatDistribution(1e-4, 1e-2, log=True)),
        ({"int": [2, 6]}, IntDistribution(2, 6)),
        ({"choice": ["gin", None, [1, 2]]}, CategoricalDistribution(['"gin"', "null", "[1, 2]"])),
    ],
)
def test_the_forms_of_a_parameter_are_optunas_distributions(form: dict[str, Any], expected: Any) -> None:
    assert distribution(Parameter.model_validate(form)) == expected


def test_the_first_trials_fill_the_ranges_evenly(write_sweep: WriteSweep, tmp_path: Path) -> None:
    study = Study(tmp_path, load_sweep(write_sweep(space={"training.optimizer.lr": {"log_uniform": [1e-4, 1e-2]}})))
    trials = run(study, 10, lambda values, epoch: 1.0, epochs=1)
    rates = [math.log10(trial.values["training.optimizer.lr"]) for trial in trials]
    assert all(-4 <= rate <= -2 for rate in rates)
    assert 0.3 < np.std(rates) < 0.8  # of a uniform distribution over two powers of ten, 0.58


def test_a_study_opened_again_between_trials_tries_the_same(write_sweep: WriteSweep, tmp_path: Path) -> None:
    loaded = load_sweep(write_sweep(pruner={"name": "median", "trials": 3}))
    whole = run(Study(tmp_path / "whole", loaded), 13, by_rate, epochs=1)
    for _ in range(13):
        run(Study(tmp_path / "cut", loaded), 1, by_rate, epochs=1)
        # What a process leaves that is killed while it writes.
        with (tmp_path / "cut" / JOURNAL).open("a") as journal:
            journal.write('{"op_code": 4, "wor')
        (tmp_path / "cut" / f"{JOURNAL}.lock").symlink_to("nowhere")
    assert Study(tmp_path / "cut", loaded).trials() == whole
    assert {trial.state for trial in whole} == {"finished", "pruned"}
    other = load_sweep(write_sweep(seed=1, pruner={"name": "median", "trials": 3}))
    assert run(Study(tmp_path / "other", other), 1, by_rate)[0].values != whole[0].values


def test_an_interrupted_trial_keeps_its_values_and_takes_an_epoch_twice(
    write_sweep: WriteSweep, tmp_path: Path
) -> None:
    loaded = load_sweep(write_sweep())
    begun = Study(tmp_path, loaded).begin()
    assert not Study(tmp_path, loaded).watch(begun)(1, 0.5)
    study = Study(tmp_path, loaded)
    (interrupted,) = study.trials()
    assert (interrupted.state, interrupted.values) == ("running", begun.values)
    watch = study.watch(interrupted)
    assert not watch(1, 0.5)
    assert not watch(2, 0.25)
    study.finish(interrupted)
    (finished,) = study.trials()
    assert (finished.state, finished.course, finished.value("min")) == ("finished", {1: 0.5, 2: 0.25}, 0.25)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_median_pruner_stops_what_is_worse_than_the_median(
    write_sweep: WriteSweep, tmp_path: Path, mode: str
) -> None:
    overrides = ["training.monitor=val/logp/r2"] if mode == "max" else []
    path = write_sweep(pruner={"name": "median", "trials": 3, "epochs": 2}, overrides=overrides)
    study = Study(tmp_path / "out", load_sweep(path))
    sign = -1 if mode == "max" else 1
    figures = iter(np.random.default_rng(0).normal(size=12).tolist())
    levels = [next(figures) for _ in range(12)]
    kept: list[float] = []
    for number, level in enumerate(levels):
        trial = study.begin()
        watch = study.watch(trial)
        assert not watch(1, sign * (level + 100))  # too early to be judged
        worse = len(kept) >= 3 and level > np.median(kept)
        assert watch(2, sign * level) == worse
        if not worse:
            study.finish(trial)
            kept.append(level)
        assert study.trials()[number].state == ("pruned" if worse else "finished")
    assert 0 < len(kept) < 12


def test_halving_lets_the_best_third_go_on(write_sweep: WriteSweep, tmp_path: Path) -> None:
    loaded = load_sweep(write_sweep(pruner={"name": "halving", "epochs": 2}))
    trials = run(Study(tmp_path, loaded), 12, by_rate, epochs=7)
    lengths = [max(trial.course) for trial in trials]
    assert set(lengths) <= {2, 6, 7}
    assert 6 <= lengths.count(2) < 12
    assert min(trials, key=lambda trial: by_rate(dict(trial.values), 2)).state == "finished"


def test_no_pruner_stops_nothing(write_sweep: WriteSweep, tmp_path: Path) -> None:
    trials = run(Study(tmp_path, load_sweep(write_sweep(pruner=None))), 8, by_rate, epochs=1)
    assert {trial.state for trial in trials} == {"finished"}


def test_no_combination_is_tried_twice(write_sweep: WriteSweep, tmp_path: Path) -> None:
    space = {"model.encoder.depth": {"int": [1, 3]}, "training.clip": {"choice": [None, 1.0, 2.0]}}
    loaded = load_sweep(write_sweep(space=space, trials=50))
    assert loaded.wanted == 9
    trials = run(Study(tmp_path, loaded), 9, lambda values, epoch: values["model.encoder.depth"], epochs=1)
    assert len({tuple(trial.values.values()) for trial in trials}) == 9


def test_what_varies_the_values_is_found(write_sweep: WriteSweep, tmp_path: Path) -> None:
    loaded = load_sweep(write_sweep(pruner=None))
    study = Study(tmp_path, loaded)
    run(study, 3, by_rate, epochs=1)
    assert study.importances() == {}
    run(study, 17, by_rate, epochs=1)
    shares = study.importances()
    assert next(iter(shares)) == "training.optimizer.lr"
    assert shares["training.optimizer.lr"] > 0.7
    assert shares["model.encoder.layer"] < 0.1
    assert sum(shares.values()) <= 1 + 1e-9


def test_equal_values_have_no_importances(write_sweep: WriteSweep, tmp_path: Path) -> None:
    study = Study(tmp_path, load_sweep(write_sweep(pruner=None)))
    run(study, 5, lambda values, epoch: 1.0)
    assert study.importances() == {}


def test_undefined_figures_are_kept_as_such(write_sweep: WriteSweep, tmp_path: Path) -> None:
    study = Study(tmp_path, load_sweep(write_sweep()))
    (trial,) = run(study, 1, lambda values, epoch: math.nan if epoch == 1 else 1 / epoch)
    assert math.isnan(trial.course[1])
    assert (trial.best_epoch("min"), trial.best_epoch("max"), trial.value("max")) == (3, 2, 0.5)
    failed = study.begin()
    study.fail(failed, "too bad")
    assert (study.trials()[1].state, study.trials()[1].reason) == ("failed", "too bad")
