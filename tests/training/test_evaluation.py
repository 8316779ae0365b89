"""The scores of a part: losses over labels that are there, each prediction packed once."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import roc_auc_score

from molfound.config.component import Component
from molfound.model import MolecularModel, specify
from molfound.tasks.label_summary import LabelSummary
from molfound.tasks.packed import PackedPredictions
from molfound.tasks.resolve import make_task
from molfound.tasks.task_loss import TaskLoss
from molfound.tasks.task_metrics import Block, TaskMetrics
from molfound.training.evaluation import evaluate, loss_totals, reduced_loss
from molfound.training.mixture import load_task_mixture
from molfound.training.module import TrainingModule
from molfound.training.report.content import read_content
from molfound.training.report.tables import label_table, metrics_table
from molfound.training.summary import print_summary
from molfound.training.train import train
from tests.training.conftest import MakeExperiment


def loss_of(prediction: list[float], reduction: Literal["value", "label"]) -> float:
    """Return the mean absolute error of three labels, the last of which has no value; all targets are 0."""
    loss = TaskLoss(make_task("toy", "toy", "graph", "regression", ["a", "b", "c"], reduction=reduction))
    values = np.array(prediction, np.float32)
    packed = PackedPredictions.of(np.array([0, 0, 1], np.int32), values, np.zeros(3, np.float32), 3)
    return reduced_loss(loss_totals(Block(0, packed), loss), packed.used, loss.reduction)


def test_the_loss_of_a_part_leaves_out_absent_labels_and_shows_broken_ones() -> None:
    assert loss_of([1.0, 3.0, 5.0], "label") == pytest.approx((2.0 + 5.0) / 2)
    assert loss_of([1.0, 3.0, 5.0], "value") == pytest.approx((1.0 + 3.0 + 5.0) / 3)
    assert np.isnan(loss_of([1.0, 3.0, np.nan], "label"))


def test_a_loss_that_weighs_classes_meets_the_labels_of_its_block() -> None:
    task = make_task("toy", "toy", "graph", "binary", ["a", "b", "c"], loss=Component("balanced_bce"))
    loss = TaskLoss(task).fit(
        LabelSummary.of(np.repeat(np.arange(3), 10), np.tile(np.repeat([0.0, 1.0], [8, 2]), 3), 3, classes=2)
    )
    assert loss.counts is not None
    loss.counts[2] = torch.tensor([9, 1])
    packed = PackedPredictions.of(np.zeros(1, np.int32), np.zeros(1, np.float32), np.ones(1, np.float32), 2)
    assert loss_totals(Block(1, packed), loss) == pytest.approx([4 * np.log(2), 0])
    assert loss_totals(Block(2, packed), loss)[0] == pytest.approx(9 * np.log(2))


def test_predictions_are_packed_once_and_score_the_same_from_a_file(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = experiment()
    mixture = load_task_mixture(chosen, lambda line: None)
    model = MolecularModel(specify(chosen, mixture.tasks))
    batches = [mixture.graphs.collection.batch(range(first, first + 30)) for first in (0, 30, 60)]
    read: list[str] = []
    spilled: list[str] = []
    blocks, spill = TaskMetrics.blocks, TaskMetrics.spill

    def counted_blocks(self: TaskMetrics) -> Iterator[Block]:
        read.append(self.task.name)
        return blocks(self)

    def counted_spill(self: TaskMetrics) -> None:
        spilled.append(self.task.name)
        spill(self)

    monkeypatch.setattr(TaskMetrics, "blocks", counted_blocks)
    monkeypatch.setattr(TaskMetrics, "spill", counted_spill)
    held = evaluate(model, batches)
    assert read == list(mixture.tasks)
    assert not spilled
    # A bound that each task keeps, but not all of them together.
    most = max(12 * int(scores.used.sum()) for scores in held.tasks.values())
    from_file = evaluate(model, batches, memory=most)
    assert set(spilled) == set(mixture.tasks)
    assert from_file.losses == held.losses
    assert json.dumps(from_file.to_dict(mixture.tasks)) == json.dumps(held.to_dict(mixture.tasks))


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


def test_a_flattened_metric_is_watched_kept_and_shown(
    experiment: MakeExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = experiment(
        "training.epochs=1",
        "training.monitor=val/acid/auroc_flattened",
        "tasks.acid.metrics=[auroc, {name: auroc, aggregation: flattened}, {name: f1, threshold: 0.3}]",
    )
    run = train(chosen)
    scores = json.loads(run.scores.read_text())["test"]["acid"]
    kept = pq.read_table(run.predictions / "test.acid.parquet")
    expected = roc_auc_score(kept["target"].to_numpy(), kept["prediction"].to_numpy())
    assert scores["auroc_flattened"] == {"mean": pytest.approx(expected), "labels": {}, "used": {}, "undefined": 0}
    assert json.loads(run.baselines.read_text())["acid"]["mean"]["auroc_flattened"] is not None
    figures = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert "auroc_flattened" in {figure["name"] for figure in figures if figure["part"] == "val"}
    task = next(task for task in read_content(run).tasks if task.name == "acid")
    assert "auroc_flattened" in metrics_table(task)
    assert "auroc_flattened" not in label_table(task, "test")
    print_summary(run, as_json=False)
    assert "auroc_flattened" in capsys.readouterr().out
