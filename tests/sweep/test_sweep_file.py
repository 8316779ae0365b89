"""What a sweep's file says, and what is refused before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from molfound.config import load_config
from molfound.config.locations import shipped_names
from molfound.errors import MolfoundError
from molfound.sweep.checking import check_possible, check_unchanged, one_runner
from molfound.sweep.sweep_file import examples, load_sweep
from tests.sweep.conftest import SPACE, WriteSweep

METRIC = ["training.epochs=2", "training.monitor=val/logp/mae"]


@pytest.mark.parametrize("name", shipped_names("configs/sweeps"))
def test_shipped_sweeps_vary_what_is_there(name: str) -> None:
    loaded = load_sweep(name)
    assert set(loaded.sweep.space) & {"training.optimizer.lr"}
    assert loaded.base == load_config(name, loaded.sweep.overrides)


def test_every_end_and_choice_is_among_the_examples(write_sweep: WriteSweep) -> None:
    loaded = load_sweep(write_sweep())
    assert list(examples(loaded.sweep.space)) == [
        dict(zip(SPACE, values, strict=True))
        for values in ((1e-4, 1, "gcn"), (1e-2, 1, "gcn"), (1e-4, 2, "gcn"), (1e-4, 1, "gin"))
    ]


def test_a_trial_is_the_experiment_with_its_values(write_sweep: WriteSweep, tmp_path: Path) -> None:
    loaded = load_sweep(write_sweep(), ["training.optimizer.weight_decay=0.5"])
    values = {"training.optimizer.lr": 2.5e-3, "model.encoder.depth": 2, "model.encoder.layer": "gin"}
    trial = loaded.trial_experiment(tmp_path, 7, values)
    assert (trial.training.optimizer.lr, trial.training.optimizer.weight_decay) == (2.5e-3, 0.5)
    assert (trial.model.encoder.options["depth"], trial.model.encoder.options["layer"]) == (2, "gin")
    assert (trial.name, trial.run_folder) == ("small-0007", tmp_path / "trials/0007")
    assert trial.run.baselines == ()
    assert trial.model_copy(update={"name": "tiny", "run": loaded.base.run}) == loaded.experiment(values)


def test_whole_lists_and_nothing_can_be_choices(write_sweep: WriteSweep) -> None:
    space = {
        "training.clip": {"choice": [None, 1.0]},
        "model.readout.pooling": {"choice": [["sum"], ["sum", "max"]]},
    }
    loaded = load_sweep(write_sweep(space=space))
    found = [loaded.experiment(values) for values in examples(loaded.sweep.space)]
    assert [experiment.training.clip for experiment in found] == [None, 1.0, None]
    assert [experiment.model.readout.options["pooling"] for experiment in found] == [["sum"], ["sum"], ["sum", "max"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 3}, "unknown key 'trails'; did you mean 'trials'"),
        ({"space": {}}, "space: should have at least one entry"),
        ({"space": {"training.clip": {"unifrom": [0, 1]}}}, "did you mean 'space.training.clip.uniform'"),
        ({"space": {"training.clip": {}}}, "should be one of {uniform"),
        ({"space": {"training.clip": {"uniform": [0, 1], "int": [0, 1]}}}, "should be one of {uniform"),
        ({"space": {"training.clip": {"uniform": [2, 1]}}}, "space.training.clip: goes from 2 to 1"),
        ({"space": {"training.clip": {"log_uniform": [0, 1]}}}, "begins at 0"),
        ({"space": {"model.encoder.depth": {"int": [1, 2.5]}}}, "should be a whole number"),
        ({"space": {"model.encoder.depth": {"choice": [1, 1]}}}, "has a choice twice"),
        ({"space": {"training.optimzer.lr": {"uniform": [0.1, 1]}}}, "did you mean 'training.optimizer"),
        ({"space": {"training.accumulate": {"choice": [1, "many"]}}}, "training.accumulate: should be a whole number"),
        ({"space": {"training.optimizer.lr": {"uniform": [-1, 1]}}}, "training.optimizer.lr: should be greater than 0"),
        ({"experiment": "quickstrat"}, "did you mean 'quickstart'"),
        ({"overrides": ["training.epocs=1"]}, "did you mean 'training.epochs'"),
        ({"overrides": ["model.encoder.depth=1"]}, "'model.encoder.depth' is in the space"),
        (
            {
                "space": SPACE
                | {"model.encoder": {"choice": [{"name": "gnn", "layer": layer} for layer in ("gcn", "gin")]}}
            },
            "'model.encoder.depth' is a part of 'model.encoder'",
        ),
        ({"overrides": ["training.monitor=train/loss"]}, "compares trials on the validation part"),
        ({"space": {"name": {"choice": ["a", "b"]}}}, "'name' cannot be varied"),
        ({"space": {"run.folder": {"choice": ["a", "b"]}}}, "'run.folder' cannot be varied"),
        ({"space": {"data.datasets.props.split": {"choice": ["random", "scaffold"]}}}, "on other molecules"),
        ({"space": {"tasks.acid.weight": {"uniform": [0.1, 1]}}}, "changes what 'val/loss' means"),
        (
            {"overrides": METRIC, "space": {"tasks.logp.normalize": {"choice": ["standard", "none"]}}},
            "'tasks.logp.normalize' changes what 'val/logp/mae' means",
        ),
        (
            {"overrides": METRIC, "space": {"tasks.logp.labels": {"choice": [["logp"], ["logp", "tpsa"]]}}},
            "'tasks.logp.labels' changes what 'val/logp/mae' means",
        ),
        (
            {
                "overrides": ["objectives.masked_atoms={}", "training.monitor=val/masked_atoms/accuracy"],
                "space": {"corruption.atoms": {"uniform": [0.1, 0.5]}},
            },
            "'corruption.atoms' changes what 'val/masked_atoms/accuracy' means",
        ),
    ],
)
def test_mistakes_are_named(write_sweep: WriteSweep, changes: dict[str, Any], message: str) -> None:
    path = write_sweep(**changes)
    with pytest.raises(MolfoundError) as refused:
        load_sweep(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)


def test_with_a_metric_the_weights_of_losses_can_be_varied(write_sweep: WriteSweep) -> None:
    space = {"tasks.acid.weight": {"uniform": [0.1, 1]}, "data.datasets.atoms.share": {"uniform": [0.5, 1]}}
    assert load_sweep(write_sweep(space=space, overrides=METRIC)).monitor == "val/logp/mae"
    without_unit = ["training.monitor=val/logp/r2", "tasks.logp.metrics=[r2]"]
    space = {"tasks.logp.normalize": {"choice": ["standard", "none"]}}
    assert load_sweep(write_sweep(space=space, overrides=without_unit)).monitor == "val/logp/r2"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"model.encoder.depht": {"int": [1, 2]}}}, "has no option 'depht'; did you mean 'depth'"),
        ({"space": {"model.encoder.layer": {"choice": ["gin", "gien"]}}}, "unknown layer 'gien'"),
        ({"space": {"model.encoder.depth": {"int": [-1, 2]}}}, "model.encoder.depth=-1"),
        ({"pruner": "medain"}, "unknown pruner 'medain'; did you mean 'median'"),
        ({"pruner": {"name": "median", "epochs": 0}}, "option 'epochs'"),
        ({"overrides": ["training.monitor=val/logp/maee"]}, "did you mean 'val/logp/mae'"),
        ({"overrides": ["data.root=nowhere"]}, "'atoms.parquet' is not in nowhere"),
    ],
)
def test_what_would_fail_is_refused_before_it_starts(
    write_sweep: WriteSweep, changes: dict[str, Any], message: str
) -> None:
    loaded = load_sweep(write_sweep(**changes))
    with pytest.raises(MolfoundError) as refused:
        check_possible(loaded)
    assert message in str(refused.value)


def test_torchrun_is_refused(write_sweep: WriteSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(MolfoundError, match="no torchrun"):
        check_possible(load_sweep(write_sweep()))


def test_another_sweep_in_the_folder_is_refused_with_its_key(write_sweep: WriteSweep, tmp_path: Path) -> None:
    check_unchanged(load_sweep(write_sweep()), tmp_path / "out")
    check_unchanged(load_sweep(write_sweep(trials=9, hours=2.0), ["data.store=elsewhere"]), tmp_path / "out")
    for changes, key in (
        ({"seed": 1}, "seed"),
        ({"pruner": "halving"}, "pruner"),
        ({"space": SPACE | {"model.encoder.depth": {"int": [1, 3]}}}, "space"),
        ({"overrides": ["training.epochs=3", "data.batch.size=20"]}, "training.epochs"),
    ):
        with pytest.raises(MolfoundError, match=f"begun with another sweep: {key} differ"):
            check_unchanged(load_sweep(write_sweep(**changes)), tmp_path / "out")


def test_a_folder_serves_one_process_at_a_time(tmp_path: Path) -> None:
    with one_runner(tmp_path), pytest.raises(MolfoundError, match="another process runs a sweep"), one_runner(tmp_path):
        pass
