"""Tasks from configuration and manifest."""

import json
from types import SimpleNamespace

import pytest

from molfound.config.component import Component
from molfound.config.schema import Experiment
from molfound.data.manifest import TaskSpec
from molfound.errors import MolfoundError
from molfound.tasks.losses import losses
from molfound.tasks.metrics import metrics
from molfound.tasks.resolve import make_task, resolve_tasks
from molfound.tasks.task import Task
from tests.tasks.examples import task_of

KINDS = ["regression", "binary", "multiclass"]
COLUMNS = ["smiles", "gap", "homo", "NR-AR", "SR-p53", "graph_a", "graph_b", "node[1]"]


def _resolve(**tasks):
    def described(level, kind, labels, classes=None):
        return TaskSpec(level=level, kind=kind, labels=labels, classes=classes)

    manifest = SimpleNamespace(
        tasks={
            "energies": described("graph", "regression", ["gap", "graph_*"]),
            "assays": described("graph", "binary", ["NR-AR", "SR-p53"]),
            "bins": described("node", "multiclass", ["node[1]"], 5),
        }
    )
    experiment = Experiment.model_validate(
        {
            "name": "toy",
            "data": {"datasets": {"toy": {"manifest": "toy"}}},
            "model": {"encoder": "gnn"},
            "tasks": {name: {"dataset": "toy", **given} for name, given in tasks.items()},
        }
    )
    return resolve_tasks(experiment, {"toy": manifest}, {"toy": COLUMNS})


def test_what_is_not_given_comes_from_the_manifest_and_the_kind():
    tasks = _resolve(energies={}, assays={}, mine={"task": "bins", "weight": 0.5})
    energies, assays, mine = tasks["energies"], tasks["assays"], tasks["mine"]
    assert energies.labels == ("gap", "graph_a", "graph_b")
    assert (energies.level, energies.kind, energies.loss.name, energies.normalize) == (
        *("graph", "regression", "mae", "standard"),
    )
    assert [metric.name for metric in energies.metrics] == ["mae", "rmse", "r2", "pearson", "spearman"]
    assert (assays.loss.name, [metric.name for metric in assays.metrics]) == ("bce", ["auroc", "ap", "bce"])
    assert (mine.name, mine.level, mine.classes, mine.outputs, mine.weight) == ("mine", "node", 5, 5, 0.5)


def test_what_is_given_wins():
    task = _resolve(
        energies={
            "labels": ["homo"],
            "loss": {"name": "huber", "delta": 0.5},
            "metrics": ["r2"],
            "normalize": "none",
            "head": "linear",
            "reduction": "label",
        }
    )["energies"]
    assert task.labels == ("homo",)
    assert task.loss == Component("huber", {"delta": 0.5})
    assert task.metrics == (Component("r2"),)
    assert (task.normalize, task.reduction, task.head.name) == ("none", "label", "linear")


def test_a_task_described_in_the_experiment_alone_needs_no_manifest():
    task = _resolve(new={"level": "graph", "kind": "regression", "labels": ["homo"]})["new"]
    assert task.labels == ("homo",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"energy": {}}, "no task 'energy'; did you mean 'energies'"),
        ({"mine": {"task": "asays"}}, "no task 'asays'; did you mean 'assays'"),
        (
            {"energies": {"labels": ["gaap"]}},
            "task 'energies': label column 'gaap' matches no column; did you mean 'gap'",
        ),
        ({"energies": {"labels": ["graf_*"]}}, "task 'energies': label wildcard 'graf_*' matches no column"),
        (
            {"energies": {"loss": "bce"}},
            "loss 'bce' is not for regression tasks; those for it: gaussian_nll, huber, mae, mse",
        ),
        ({"energies": {"metrics": ["auroc"]}}, "metric 'auroc' is not for regression tasks"),
        ({"assays": {"metrics": ["auorc"]}}, "unknown metric 'auorc'; did you mean 'auroc'"),
        ({"assays": {"metrics": ["ap", "ap"]}}, "'ap' is there twice"),
        ({"assays": {"normalize": "standard"}}, "cannot be normalised"),
        ({"assays": {"classes": 3}}, "multiclass tasks only"),
        ({"assays": {"kind": "multiclass"}}, "say how many classes"),
        ({"assays": {"head": {"name": "mlp", "hiden": [3]}}}, "did you mean 'hidden'"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(given, message):
    with pytest.raises(MolfoundError) as error:
        _resolve(**given)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("registry", [losses, metrics])
def test_every_component_is_accepted_by_its_kinds_and_refused_by_the_others(registry, kind):
    for name in registry:
        given = {"loss": Component(name)} if registry is losses else {"metrics": [Component(name)]}
        if kind in registry.kinds(name):
            task_of(kind, **given)
        else:
            with pytest.raises(MolfoundError, match=f"'{name}' is not for {kind} tasks"):
                task_of(kind, **given)


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_survives_json(kind):
    task = task_of(kind, weight=0.25, head=Component("mlp", {"hidden": [8, 4]}))
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


def test_no_labels_is_refused():
    with pytest.raises(MolfoundError, match="has no labels"):
        make_task("toy", "toy", "graph", "binary", [])
