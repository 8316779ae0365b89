"""Which figures can be watched, and what becomes of one that an epoch lacks."""

import json
from dataclasses import replace

import numpy as np
import pytest

from molfound.config.schema import TrainingConfig
from molfound.errors import MolfoundError
from molfound.training.mixture import TaskMixture, load_task_mixture
from molfound.training.monitoring import check_monitors, figure_names
from molfound.training.train import train
from tests.training.conftest import MakeExperiment


@pytest.fixture
def unlabelled(experiment: MakeExperiment) -> TaskMixture:
    """A mixture whose validation part has molecules of `props`, but no label of the task `logp`."""
    mixture = load_task_mixture(experiment("tasks.logp.labels=[tpsa]"), lambda line: None)
    first, _ = mixture.graphs.collection.ranges["props"]
    parts = {
        "props": {"train": first + np.arange(1, 60, 3), "val": first + np.arange(0, 60, 3)},  # every third has no tpsa
        "atoms": {"train": mixture.graphs.parts["atoms"]["train"]},
    }
    return replace(mixture, graphs=replace(mixture.graphs, parts=parts))


def test_only_labelled_figures_are_promised(unlabelled: TaskMixture) -> None:
    promised = [name for name in figure_names(unlabelled.tasks, unlabelled.graphs) if name.startswith("val/")]
    assert promised == ["val/loss", "val/acid/loss", "val/acid/auroc", "val/acid/ap", "val/acid/bce"]


@pytest.mark.parametrize("monitor", ["val/logp/loss", "val/logp/mae"])
def test_a_figure_of_a_task_without_labels_is_refused(unlabelled: TaskMixture, monitor: str) -> None:
    with pytest.raises(MolfoundError, match=f"task 'logp' has no label in part 'val', so there is no '{monitor}'"):
        check_monitors(TrainingConfig(monitor=monitor), unlabelled.tasks, unlabelled.graphs)


def test_a_part_without_any_label_has_no_loss(unlabelled: TaskMixture) -> None:
    tasks = {name: task for name, task in unlabelled.tasks.items() if name != "acid"}
    with pytest.raises(MolfoundError, match="no task has a label in part 'val', so there is no 'val/loss'"):
        check_monitors(TrainingConfig(monitor="val/loss"), tasks, unlabelled.graphs)
    check_monitors(TrainingConfig(monitor="train/loss"), tasks, unlabelled.graphs)


def test_a_figure_that_an_epoch_lacks_is_never_the_best(experiment: MakeExperiment) -> None:
    watched = "train/logp/loss"
    run = train(
        experiment(
            *("training.optimizer.lr=1e30", "training.clip=null", "training.schedule.warmup=0.0"),
            *("training.nonfinite=skip", "training.average=null", f"training.monitor={watched}"),
            f"training.early_stopping={{monitor: {watched}, patience: 2}}",
        )
    )
    figures = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    epochs = [f["epoch"] for f in figures if (f["part"], f["task"], f["name"]) == ("train", "logp", "loss")]
    assert epochs == [1]
    assert max(f["epoch"] for f in figures) == 3
