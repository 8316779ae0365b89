"""Learning rates and weight averages against their formulas."""

import numpy as np
import pytest
import torch
from torch import nn

from molfound.config.schema import OptimizerConfig, ScheduleConfig
from molfound.training.average import WeightAverage
from molfound.training.optimization import learning_rate_factor, make_optimizer


@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("final", [0.0, 0.1])
def test_schedule_follows_its_formula(name: str, final: float) -> None:
    total, warmup = 200, 50
    factors = np.array(
        [learning_rate_factor(ScheduleConfig(name=name, warmup=0.25, final=final), s, total) for s in range(total)]
    )
    progress = (np.arange(warmup, total) - warmup) / (total - warmup)
    shape = {"constant": np.ones_like(progress), "linear": 1 - progress, "cosine": (1 + np.cos(np.pi * progress)) / 2}[
        name
    ]
    expected = shape if name == "constant" else final + (1 - final) * shape
    assert np.allclose(factors[:warmup], np.arange(1, warmup + 1) / warmup)
    assert np.allclose(factors[warmup:], expected)


def test_schedule_stays_at_its_end_beyond_the_last_step() -> None:
    schedule = ScheduleConfig(name="cosine", warmup=0.0, final=0.2)
    assert learning_rate_factor(schedule, 1000, 10) == pytest.approx(0.2)


def test_only_matrices_decay() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
    optimizer = make_optimizer(module.parameters(), OptimizerConfig(lr=0.1, weight_decay=0.5))
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter in module.parameters():
        assert torch.allclose(parameter, torch.full_like(parameter, 0.95 if parameter.ndim == 2 else 1.0))


def test_a_frozen_parameter_is_left_out() -> None:
    module = nn.Linear(3, 4)
    module.bias.requires_grad_(False)
    groups = make_optimizer(module.parameters(), OptimizerConfig()).param_groups
    assert [p.shape for group in groups for p in group["params"]] == [torch.Size([4, 3])]


def test_average_follows_its_formula() -> None:
    layer, decay = nn.Linear(1, 1, bias=False), 0.5
    values = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0]
    with torch.no_grad():
        layer.weight.fill_(values[0])
    average, expected = WeightAverage(layer, decay), values[0]
    for step, value in enumerate(values[1:], 1):
        with torch.no_grad():
            layer.weight.fill_(value)
        average.update(layer)
        kept = min(decay, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * value
    assert average.state["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_average_copies_what_is_not_a_float() -> None:
    norm = nn.BatchNorm1d(2)
    average = WeightAverage(norm, 0.9)
    norm(torch.randn(5, 2))
    average.update(norm)
    assert average.state["num_batches_tracked"] == 1


def test_swapping_twice_changes_nothing() -> None:
    layer = nn.Linear(2, 2)
    average = WeightAverage(layer, 0.9)
    with torch.no_grad():
        layer.weight.add_(1.0)
    present, averaged = layer.weight.clone(), average.state["weight"].clone()
    average.swap(layer)
    assert torch.equal(layer.weight, averaged)
    average.swap(layer)
    assert torch.equal(layer.weight, present)
    assert torch.equal(average.state["weight"], averaged)
