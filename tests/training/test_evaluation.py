"""The scores of a part: losses over labels that are there, each prediction packed once."""

from typing import Any

import numpy as np
import pytest
import torch

from molfound.model import MolecularModel, specify
from molfound.tasks.packed import PackedPredictions
from molfound.tasks.resolve import make_task
from molfound.tasks.task_loss import TaskLoss
from molfound.tasks.task_metrics import TaskMetrics
from molfound.training.evaluation import evaluate, packed_loss
from molfound.training.mixture import load_task_mixture
from molfound.training.module import TrainingModule
from molfound.training.train import train
from tests.training.conftest import MakeExperiment


def packed(prediction: list[float]) -> PackedPredictions:
    """Return predictions of three labels, the last of which has no value; all targets are 0."""
    values = np.array(prediction, np.float32)
    return PackedPredictions(np.array([0, 0, 1], np.int32), values, np.zeros(3, np.float32), 3)


def test_the_loss_of_a_part_leaves_out_absent_labels_and_shows_broken_ones() -> None:
    loss = TaskLoss(make_task("toy", "toy", "graph", "regression", ["a", "b", "c"], reduction="label"))
    assert packed_loss(packed([1.0, 3.0, 5.0]), loss) == pytest.approx((2.0 + 5.0) / 2)
    assert np.isnan(packed_loss(packed([1.0, 3.0, np.nan]), loss))


def test_predictions_are_packed_once(experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = experiment()
    mixture = load_task_mixture(chosen, lambda line: None)
    model = MolecularModel(specify(chosen, mixture.tasks))
    batch = mixture.graphs.collection.batch(range(90))
    packings: list[str] = []
    original = TaskMetrics.packed

    def count(self: TaskMetrics) -> PackedPredictions:
        packings.append(self.task.name)
        return original(self)

    monkeypatch.setattr(TaskMetrics, "packed", count)
    evaluate(model, [batch])
    assert packings == list(mixture.tasks)


def test_an_epoch_s_predictions_are_let_go_at_its_end(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[object] = []
    original = TrainingModule.training_step

    def step(self: TrainingModule, *arguments: Any) -> torch.Tensor | None:
        held.append(self.evaluation)
        return original(self, *arguments)

    monkeypatch.setattr(TrainingModule, "training_step", step)
    train(experiment("training.epochs=2"))
    assert set(held) == {None}
