"""What a training step asks of the device, and when."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.model import MolecularModel, specify
from molfound.training.mixture import TaskMixture, fit_weighting, load_task_mixture
from molfound.training.module import TrainingModule
from molfound.training.objective import task_losses, task_sums
from tests.training.conftest import MakeExperiment


@pytest.fixture
def mixture(experiment: MakeExperiment) -> TaskMixture:
    return load_task_mixture(experiment(), lambda line: None)


@pytest.fixture
def module(experiment: MakeExperiment, mixture: TaskMixture) -> TrainingModule:
    chosen = experiment()
    torch.manual_seed(0)
    model = MolecularModel(specify(chosen, mixture.tasks))
    weighting = fit_weighting(chosen.training.task_weights, model, mixture)
    return TrainingModule(model, chosen.training, weighting, total_steps=10)


def batch_of(mixture: TaskMixture, rows: range) -> GraphBatch:
    """Return a batch of both datasets in which no row has a label of the task `acid`."""
    positions = [mixture.graphs.collection.ranges[name][0] + row for name in ("atoms", "props") for row in rows]
    batch = mixture.graphs.collection.batch(positions)
    return replace(batch, labels={**batch.labels, "acid": torch.full_like(batch.labels["acid"], torch.nan)})


def test_a_step_reads_one_answer_from_the_device(
    module: TrainingModule, mixture: TaskMixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = module.transfer_batch_to_device(batch_of(mixture, range(8)), torch.device("cpu"), 0)
    read: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        original = getattr(Tensor, name)

        def function(self: Tensor, *arguments: Any) -> Any:
            read.append(name)
            return original(self, *arguments)

        return function

    # The forward pass reads where a dataset's atoms begin, which is not the step's own.
    predictions = module.model(batch)
    module._network = (lambda _: predictions,)  # type: ignore[assignment]
    for name in ("__bool__", "__float__", "item", "tolist"):
        monkeypatch.setattr(Tensor, name, counted(name))
    module.training_step(batch, 0)
    assert read == ["tolist"]


def test_losses_are_counted_at_every_batch(module: TrainingModule, mixture: TaskMixture) -> None:
    sums: dict[str, float] = {}
    module.eval()
    for first in (0, 8, 16):
        batch = module.transfer_batch_to_device(batch_of(mixture, range(first, first + 8)), torch.device("cpu"), 0)
        losses = task_losses(module.model, task_sums(module.model, module.model(batch), batch))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        module.training_step(batch, 0)
    assert module.progress.loss_sums == sums
    assert module.progress.loss_counts == {"logp": 3, "neighbours": 3}


def test_a_batch_keeps_the_labels_that_are_there(module: TrainingModule, mixture: TaskMixture) -> None:
    batch = batch_of(mixture, range(8))
    moved = module.transfer_batch_to_device(batch, torch.device("cpu"), 0)
    assert set(batch.labels) == {"logp", "acid", "neighbours"}
    assert set(moved.labels) == {"logp", "neighbours"}
    for name, values in moved.labels.items():
        np.testing.assert_array_equal(values, batch.labels[name])


def test_only_batches_for_cuda_are_locked_in_memory(
    module: TrainingModule, mixture: TaskMixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[Any, ...]] = []

    def pin(self: GraphBatch) -> GraphBatch:
        done.append(("pin",))
        return self

    def to(self: GraphBatch, device: torch.device, non_blocking: bool = False) -> GraphBatch:
        done.append((device.type, non_blocking))
        return self

    monkeypatch.setattr(GraphBatch, "pin_memory", pin)
    monkeypatch.setattr(GraphBatch, "to", to)
    for kind in ("cpu", "mps", "cuda"):
        module.transfer_batch_to_device(batch_of(mixture, range(2)), torch.device(kind), 0)
    assert done == [("cpu", False), ("mps", False), ("pin",), ("cuda", True)]
