"""How a configuration's metrics are reported."""

import pytest

from molfound.config.component import Component
from molfound.errors import MolfoundError
from molfound.tasks.aggregation import ReportedMetric, greater_is_better, reported_metrics
from molfound.tasks.metrics import metrics
from tests.tasks.examples import task_of


def test_one_metric_can_be_reported_both_ways_but_none_twice():
    flattened = Component("auroc", {"aggregation": "flattened"})
    task = task_of("binary", metrics=[Component("auroc"), flattened, Component("f1", {"threshold": 0.3})])
    assert list(reported_metrics(task)) == ["auroc", "auroc_flattened", "f1"]
    assert reported_metrics(task)["f1"].options == {"threshold": 0.3}
    for twice in ([flattened, flattened], [Component("auroc"), Component("auroc", {"aggregation": "mean"})]):
        with pytest.raises(MolfoundError, match="is there twice"):
            task_of("binary", metrics=twice)


def test_errors_in_original_units_accompany_the_mean_only():
    flattened = [Component(name, {"aggregation": "flattened"}) for name in ("mae", "rmse")]
    assert list(reported_metrics(task_of("regression", metrics=flattened))) == ["mae_flattened", "rmse_flattened"]
    task = task_of("regression", metrics=[Component("mae"), *flattened])
    assert list(reported_metrics(task)) == ["mae", "mae_flattened", "rmse_flattened", "mae_original"]


@pytest.mark.parametrize(
    ("component", "problem"),
    [
        (Component("auroc", {"aggregation": "flatened"}), "has no aggregation 'flatened'.*did you mean 'flattened'"),
        (Component("auroc", {"aggregation": 1}), "has no aggregation 1, only mean and flattened"),
        (Component("auroc", {"agregation": "mean"}), "has no option 'agregation'"),
        (Component("f1", {"threshold": 1.5}), "option 'threshold'"),
        (Component("mae_original", {"aggregation": "flattened"}), "cannot be flattened"),
        (Component("aurocc"), "unknown metric 'aurocc'.*auroc"),
    ],
)
def test_mistakes_are_named(component, problem):
    with pytest.raises(MolfoundError, match=problem):
        ReportedMetric.of(component)


@pytest.mark.parametrize("name", list(metrics))
def test_pooling_does_not_change_which_way_is_better(name):
    assert greater_is_better(name) == greater_is_better(f"{name}_flattened") == metrics.greater_is_better(name)
