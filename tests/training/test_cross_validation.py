"""Figures of folds: what is a cross-validation, and a fold in which a task has no label."""

import json
from pathlib import Path

import pytest

from molfound.config import load_config
from molfound.config.schema import Experiment
from molfound.errors import MolfoundError
from molfound.training.cross_validation import fold_experiments, fold_figures, is_cross_validation
from molfound.training.run_folder import RunFolder

FOLDS = "data.datasets.{}.split={{kind: folds, folds: {}}}"


def divided(data_folder: Path, **folds: int) -> Experiment:
    return load_config(data_folder / "tiny.yaml", [FOLDS.format(name, count) for name, count in folds.items()])


def test_all_datasets_have_one_number_of_folds(data_folder: Path) -> None:
    both = divided(data_folder, props=4, atoms=4)
    experiments = fold_experiments(both)
    assert [{data.split.fold for data in each.data.datasets.values()} for each in experiments] == [{1}, {2}, {3}, {4}]
    assert is_cross_validation(experiments)
    assert not is_cross_validation(experiments[:3])
    for other in (divided(data_folder, props=4), divided(data_folder, props=4, atoms=5), divided(data_folder)):
        assert not is_cross_validation([other] * 4)
        with pytest.raises(MolfoundError, match="divides all of its datasets into one number of folds"):
            fold_experiments(other)


def test_a_fold_without_labels_of_a_task_has_no_figure_of_it(tmp_path: Path) -> None:
    runs = [RunFolder(tmp_path / str(number)) for number in range(3)]
    for run, found in zip(runs, ({"a": 1.0}, {"a": 2.0, "b": 5.0}, {"a": 4.5, "b": 7.0}), strict=True):
        run.path.mkdir()
        run.scores.write_text(json.dumps({"test": {task: {"mae": {"mean": mean}} for task, mean in found.items()}}))
        run.baselines.write_text(json.dumps({task: {"mean": {"mae": mean + 1}} for task, mean in found.items()}))
    figures = fold_figures(runs)
    assert figures["scores"]["a"]["mae"] == {"mean": 2.5, "deviation": pytest.approx(1.8027756), "folds": [1, 2, 4.5]}
    assert figures["scores"]["b"]["mae"]["folds"] == [None, 5.0, 7.0]
    assert figures["scores"]["b"]["mae"]["mean"] == 6.0
    assert figures["baselines"]["b"]["mean"]["mae"]["folds"] == [None, 6.0, 8.0]
