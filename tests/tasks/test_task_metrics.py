"""The streaming state: batches and processes against everything at once."""

import json
import math
import multiprocessing
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, roc_auc_score

from molfound.config.component import Component
from molfound.tasks import collected
from molfound.tasks.task_metrics import TaskMetrics
from tests.tasks.examples import fitted_normalizer, random_packed, task_of
from tests.tasks.two_processes import score_shares

KINDS = ["regression", "binary", "multiclass"]


def _example(kind, rows=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    prediction = torch.randn((rows, 3, 4) if kind == "multiclass" else (rows, 3), generator=generator)
    target = torch.randint(0, 2, (rows, 3), generator=generator).float()
    return prediction, target.masked_fill(torch.rand(rows, 3, generator=generator) < 0.5, torch.nan)


def _scores(kind, batches, **options):
    metrics = TaskMetrics(_task(kind), **options)
    for prediction, target in batches:
        metrics.update(prediction, target)
    return metrics.compute()


def _task(kind):
    """Return a task with its usual metrics, and each of them flattened."""
    usual = task_of(kind).metrics
    flattened = [Component(metric.name, {"aggregation": "flattened"}) for metric in usual]
    return task_of(kind, metrics=[*usual, *flattened])


def _assert_same(scores, expected):
    """Compare to the last bit."""
    assert scores.values.keys() == expected.values.keys()
    np.testing.assert_array_equal(scores.used, expected.used)
    for name, values in expected.values.items():
        np.testing.assert_array_equal(scores.values[name], values)
    assert scores.flattened.keys() == expected.flattened.keys()
    np.testing.assert_array_equal([*scores.flattened.values()], [*expected.flattened.values()])


@pytest.mark.parametrize("kind", KINDS)
def test_batches_add_up_to_the_whole(kind):
    prediction, target = _example(kind)
    cuts = [0, 1, 1, 20, 60]
    batches = [(prediction[a:b], target[a:b]) for a, b in pairwise(cuts)]
    whole = _scores(kind, [(prediction, target)])
    _assert_same(_scores(kind, batches), whole)
    np.testing.assert_array_equal(whole.used, (~target.isnan()).sum(0).numpy())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [1, 40, 1 << 20])
def test_scores_from_a_file_are_those_from_memory(kind, block, monkeypatch):
    batches = [_example(kind, seed=seed) for seed in range(5)]
    monkeypatch.setattr(collected, "BLOCK", block)
    expected = _scores(kind, batches)
    for memory in (0, 1000, 2000):
        _assert_same(_scores(kind, reversed(batches), memory=memory), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_past_the_bound_leaves_memory(kind):
    metrics = TaskMetrics(task_of(kind), memory=1500)
    for seed in range(5):
        metrics.update(*_example(kind, seed=seed))
        assert metrics.held <= 1500
    assert metrics.used().sum() == sum((~_example(kind, seed=seed)[1].isnan()).sum() for seed in range(5))


def test_two_processes_score_as_one_even_one_without_data(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    cases = [(_task(kind), *_example(kind)) for kind in KINDS]
    processes = [
        context.Process(target=score_shares, args=(rank, tmp_path / "store", cases, results)) for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    expected = {kind: _scores(kind, [_example(kind)]) for kind in KINDS}
    for _ in range(2 * 2 * len(KINDS)):
        kind, scores = results.get(timeout=120)
        _assert_same(scores, expected[kind])
    for process in processes:
        process.join()
        assert process.exitcode == 0


def test_only_present_labels_are_held_in_twelve_bytes_each():
    prediction, target = _example("binary")
    metrics = TaskMetrics(task_of("binary"))
    metrics.update(prediction.double(), target)
    assert metrics.held == 12 * (~target.isnan()).sum()


def test_flattened_metrics_pool_the_labels():
    prediction, target = _example("regression")
    kept = ~target.isnan()
    flattened = _scores("regression", [(prediction, target)]).flattened
    expected = math.sqrt(mean_squared_error(target[kept], prediction[kept]))
    assert flattened["rmse_flattened"] == pytest.approx(expected)
    prediction, target = _example("binary")
    kept = ~target.isnan()
    scores = _scores("binary", [(prediction, target)])
    assert scores.mean["auroc_flattened"] == pytest.approx(roc_auc_score(target[kept], prediction[kept]))
    assert scores.mean["auroc_flattened"] != scores.mean["auroc"]
    entry = scores.to_dict(["a", "b", "c"])["auroc_flattened"]
    assert entry == {"mean": scores.mean["auroc_flattened"], "labels": {}, "used": {}, "undefined": 0}


@pytest.mark.parametrize("memory", [1, 1 << 30])
def test_scores_of_packed_predictions_are_those_of_dense_ones(memory):
    packed = random_packed("binary", 1, 90, 3, 8)
    dense = torch.full((2, 90, 3), torch.nan)
    rows = torch.arange(90)
    for table, values in zip(dense, (packed.prediction, packed.target), strict=True):
        table[rows, packed.label] = torch.from_numpy(values)
    metrics = TaskMetrics(_task("binary"), memory=memory)
    for piece in np.array_split(np.random.default_rng(0).permutation(len(packed.label)), 3):
        metrics.add(packed.label[piece], packed.prediction[piece], packed.target[piece])
    _assert_same(metrics.compute(), _scores("binary", [tuple(dense)]))


def test_undefined_labels_are_left_out_of_the_mean_and_counted():
    prediction, target = _example("binary")
    target[:, 1] = torch.where(target[:, 1].isnan(), torch.nan, 0.0)
    target[:, 2] = torch.nan
    scores = _scores("binary", [(prediction, target)])
    kept = ~target[:, 0].isnan()
    assert scores.mean["auroc"] == pytest.approx(roc_auc_score(target[kept, 0], prediction[kept, 0]))
    assert {name: scores.undefined[name] for name in scores.values} == {"auroc": 2, "ap": 2, "bce": 1}
    assert {scores.undefined[name] for name in scores.flattened} == {0}
    assert scores.used.tolist()[2] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 10])
def test_a_task_with_nothing_defined_is_undefined_not_an_error(kind, rows):
    prediction, _ = _example(kind)
    scores = _scores(kind, [(prediction[:rows], torch.full((rows, 3), torch.nan))])
    assert all(math.isnan(mean) for mean in scores.mean.values())
    assert {scores.undefined[name] for name in scores.values} == {3}
    assert {scores.undefined[name] for name in scores.flattened} == {1}
    _assert_same(TaskMetrics(_task(kind)).compute(), scores)
    table = scores.to_dict(task_of(kind).labels)
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert all(entry["mean"] is None for entry in table.values())


def test_reset_forgets():
    prediction, target = _example("regression")
    metrics = TaskMetrics(_task("regression"))
    metrics.update(prediction + 5, target)
    metrics.reset()
    metrics.update(prediction, target)
    _assert_same(metrics.compute(), _scores("regression", [(prediction, target)]))


def test_errors_in_original_units_stand_beside_the_normalised_ones():
    prediction, target = _example("regression")
    original = target * torch.tensor([2.0, 30.0, 0.1]) + torch.tensor([5.0, -4.0, 0.0])
    rows, label = (~original.isnan()).numpy().nonzero()
    normalizer = fitted_normalizer(label, original.numpy()[rows, label], ["a", "b", "c"])
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
