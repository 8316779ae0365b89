"""The streaming state: batches and processes against everything at once."""

import json
import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, roc_auc_score

from molfound.tasks.normalization import Normalizer
from molfound.tasks.task_metrics import TaskMetrics
from tests.tasks.examples import task_of

pytestmark = pytest.mark.filterwarnings("ignore:The ``compute`` method")
KINDS = ["regression", "binary", "multiclass"]


def _example(kind, rows=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    prediction = torch.randn((rows, 3, 4) if kind == "multiclass" else (rows, 3), generator=generator)
    target = torch.randint(0, 2, (rows, 3), generator=generator).float()
    return prediction, target.masked_fill(torch.rand(rows, 3, generator=generator) < 0.5, torch.nan)


def _scores(kind, batches, **options):
    metrics = TaskMetrics(task_of(kind), **options)
    for prediction, target in batches:
        metrics.update(prediction, target)
    return metrics.compute()


def _assert_same(scores, expected):
    assert scores.values.keys() == expected.values.keys()
    np.testing.assert_array_equal(scores.used, expected.used)
    for name, values in expected.values.items():
        np.testing.assert_allclose(scores.values[name], values, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_add_up_to_the_whole(kind):
    prediction, target = _example(kind)
    cuts = [0, 1, 1, 20, 60]
    batches = [(prediction[a:b], target[a:b]) for a, b in pairwise(cuts)]
    whole = _scores(kind, [(prediction, target)])
    _assert_same(_scores(kind, batches), whole)
    np.testing.assert_array_equal(whole.used, (~target.isnan()).sum(0).numpy())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("here", [0, 25])
def test_processes_add_up_to_the_whole_even_one_without_data(kind, here):
    prediction, target = _example(kind)
    other = TaskMetrics(task_of(kind))
    other.update(prediction[here:], target[here:])
    states = iter([other.label, other.prediction, other.target])

    def gathered(state, group):
        return [state, torch.cat(next(states)).to(state.dtype)]

    metrics = TaskMetrics(task_of(kind), dist_sync_fn=gathered, distributed_available_fn=lambda: True)
    if here:
        metrics.update(prediction[:here], target[:here])
    _assert_same(metrics.compute(), _scores(kind, [(prediction, target)]))
    assert sum(len(label) for label in metrics.label) == (~target[:here].isnan()).sum()


def test_only_present_labels_are_held_in_twelve_bytes_each():
    prediction, target = _example("binary")
    metrics = TaskMetrics(task_of("binary"))
    metrics.update(prediction.double(), target)
    states = [state for states in (metrics.label, metrics.prediction, metrics.target) for state in states]
    assert sum(state.numel() * state.element_size() for state in states) == 12 * (~target.isnan()).sum()


def test_undefined_labels_are_left_out_of_the_mean_and_counted():
    prediction, target = _example("binary")
    target[:, 1] = torch.where(target[:, 1].isnan(), torch.nan, 0.0)
    target[:, 2] = torch.nan
    scores = _scores("binary", [(prediction, target)])
    kept = ~target[:, 0].isnan()
    assert scores.mean["auroc"] == pytest.approx(roc_auc_score(target[kept, 0], prediction[kept, 0]))
    assert scores.undefined == {"auroc": 2, "ap": 2, "bce": 1}
    assert scores.used.tolist()[2] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 10])
def test_a_task_with_nothing_defined_is_undefined_not_an_error(kind, rows):
    prediction, _ = _example(kind)
    scores = _scores(kind, [(prediction[:rows], torch.full((rows, 3), torch.nan))])
    assert all(math.isnan(mean) for mean in scores.mean.values())
    assert set(scores.undefined.values()) == {3}
    _assert_same(TaskMetrics(task_of(kind)).compute(), scores)
    table = scores.to_dict(task_of(kind).labels)
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert all(entry["mean"] is None for entry in table.values())


def test_reset_forgets():
    prediction, target = _example("regression")
    metrics = TaskMetrics(task_of("regression"))
    metrics.update(prediction + 5, target)
    metrics.reset()
    metrics.update(prediction, target)
    _assert_same(metrics.compute(), _scores("regression", [(prediction, target)]))


def test_errors_in_original_units_stand_beside_the_normalised_ones():
    prediction, target = _example("regression")
    original = target * torch.tensor([2.0, 30.0, 0.1]) + torch.tensor([5.0, -4.0, 0.0])
    rows, label = (~original.isnan()).numpy().nonzero()
    normalizer = Normalizer.fit(label, original.numpy()[rows, label], ["a", "b", "c"])
    scores = _scores("regression", [(prediction, normalizer.normalize(original))], normalizer=normalizer)
    for label in range(3):
        kept = ~original[:, label].isnan()
        expected = mean_absolute_error(original[kept, label], normalizer.denormalize(prediction)[kept, label])
        assert scores.values["mae_original"][label] == pytest.approx(expected, rel=1e-5)
    assert "rmse_original" in scores.values
    unnormalised = TaskMetrics(task_of("regression", normalize="none"))
    unnormalised.update(prediction, target)
    assert "mae_original" not in unnormalised.compute().values


def test_deviations_leave_the_device_before_they_are_doubled() -> None:
    class OnApple:
        """A tensor of a device that knows no float64."""

        def cpu(self) -> torch.Tensor:
            return torch.tensor([2.0])

    assert TaskMetrics(task_of("regression"), SimpleNamespace(deviation=OnApple())).deviation.tolist() == [2.0]
