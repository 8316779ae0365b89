"""How tasks are weighed against each other: every registered rule, and what a training makes of them."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from molfound.config.component import Component
from molfound.errors import MolfoundError
from molfound.model import MolecularModel, load_model, specify
from molfound.training.evaluation import evaluate
from molfound.training.mixture import TaskMixture, fit_weighting, load_task_mixture
from molfound.training.objective import task_losses, task_sums
from molfound.training.run_folder import RunFolder
from molfound.training.train import resume, train
from molfound.training.weighting import WeighedTask, make_weighting, weightings
from tests.training.conftest import MakeExperiment
from tests.training.test_resume import EVERY_STEP, assert_same_run, train_until

TASKS = {
    "energy": WeighedTask("regression", 1.0, 900),
    "toxic": WeighedTask("binary", 0.5, 100),
    "bins": WeighedTask("multiclass", 2.0, 2500),
}
OTHERS = {"denoising/coordinates": 3.0}


def quiet(_: str) -> None:
    pass


def losses(**values: float) -> dict[str, Tensor]:
    return {name.replace("__", "/"): torch.tensor(value, requires_grad=True) for name, value in values.items()}


@pytest.mark.parametrize("rule", weightings)
def test_what_a_batch_lacks_adds_nothing(rule: str) -> None:
    weighting = make_weighting(Component(rule), TASKS, OTHERS)
    assert weighting({}).item() == 0.0
    every = losses(energy=1.0, toxic=2.0, bins=3.0, denoising__coordinates=4.0)
    alone = [weighting({name: loss}).item() for name, loss in every.items()]
    assert weighting(every).item() == pytest.approx(sum(alone))
    assert alone[-1] == 3.0 * 4.0
    assert weighting.figure({name: loss.item() for name, loss in every.items()}) == pytest.approx(sum(alone))


@pytest.mark.parametrize("rule", weightings)
def test_the_given_weight_is_a_factor(rule: str) -> None:
    options = {} if rule == "uncertainty" else {"scale": "mean"}
    doubled = {**TASKS, "toxic": TASKS["toxic"]._replace(weight=1.0)}
    before, after = (make_weighting(Component(rule, options), tasks, {}) for tasks in (TASKS, doubled))
    share = [weighting(losses(toxic=1.0)) / weighting(losses(energy=1.0)) for weighting in (before, after)]
    assert share[1].item() == pytest.approx(2 * share[0].item())


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Component("fixed"), [1.0, 0.5, 2.0]),
        (Component("fixed", {"scale": "sum"}), [1 / 3.5, 0.5 / 3.5, 2 / 3.5]),
        (Component("fixed", {"scale": "mean"}), [3 / 3.5, 1.5 / 3.5, 6 / 3.5]),
        (Component("label_count", {"scale": "sum"}), [30 / 135, 5 / 135, 100 / 135]),
        (Component("label_count", {"power": 1.0}), [3 * 900 / 5950, 3 * 50 / 5950, 3 * 5000 / 5950]),
        (Component("label_count", {"power": 0.0}), [3 / 3.5, 1.5 / 3.5, 6 / 3.5]),
    ],
)
def test_constant_weights(rule: Component, expected: list[float]) -> None:
    weighting = make_weighting(rule, TASKS, {})
    given = losses(energy=1.0, toxic=1.0, bins=1.0)
    found = torch.autograd.grad(weighting(given), list(given.values()))
    assert [float(weight) for weight in found] == pytest.approx(expected)


def test_uncertainty_learns_the_variance_of_each_task() -> None:
    weighting = make_weighting(Component("uncertainty"), TASKS, {})
    given = {"energy": torch.tensor(0.3), "toxic": torch.tensor(5.0)}
    optimizer = torch.optim.LBFGS(weighting.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = weighting(given)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    learned = weighting.figures()
    # A Gaussian's variance is its mean squared error; the scaled softmax of the paper has twice its cross-entropy.
    assert learned["energy/log_variance"] == pytest.approx(np.log(0.3), abs=1e-3)
    assert learned["toxic/log_variance"] == pytest.approx(np.log(2 * 5.0), abs=1e-3)
    assert learned["bins/log_variance"] == 0.0


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("uncertain", {}, "unknown task weighting 'uncertain'; did you mean 'uncertainty'"),
        ("label_count", {"scale": "given"}, "task weighting 'label_count', option 'scale'"),
        ("label_count", {"root": 2}, "task weighting 'label_count' has no option 'root'"),
    ],
)
def test_a_mistake_is_named_before_anything_is_prepared(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch, rule: str, options: dict[str, Any], message: str
) -> None:
    chosen = experiment(f"training.task_weights={json.dumps({'name': rule, **options})}")
    monkeypatch.setattr("molfound.training.train.load_task_mixture", lambda *_: pytest.fail("data were prepared"))
    with pytest.raises(MolfoundError, match=message):
        train(chosen)


def test_weights_that_cannot_be_scaled_are_refused() -> None:
    nothing = {"energy": TASKS["energy"]._replace(weight=0.0)}
    with pytest.raises(MolfoundError, match="all tasks are 0"):
        make_weighting(Component("fixed", {"scale": "mean"}), nothing, {})


@pytest.fixture
def mixture(experiment: MakeExperiment) -> TaskMixture:
    return load_task_mixture(experiment(), quiet)


def test_labels_are_counted_in_the_training_part(experiment: MakeExperiment, mixture: TaskMixture) -> None:
    model = MolecularModel(specify(experiment(), mixture.tasks))
    weighting = fit_weighting(Component("label_count", {"power": 1.0, "scale": "sum"}), model, mixture)
    counts = {
        name: int((~np.isnan(mixture.labelled(task, "train").labels)).sum()) * task.weight
        for name, task in mixture.tasks.items()
    }
    for name, count in counts.items():
        assert weighting.figures()[f"{name}/weight"] == pytest.approx(count / sum(counts.values()))


def recorded(run: RunFolder, name: str) -> dict[tuple[int, str, str | None], float]:
    figures = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    return {(f["epoch"], f["part"], f["task"]): f["value"] for f in figures if f["name"] == name}


def test_learned_weights_are_recorded_and_make_up_the_loss(experiment: MakeExperiment) -> None:
    run = train(experiment("training.task_weights=uncertainty", "training.optimizer.lr=0.05"))
    learned, figures = recorded(run, "log_variance"), recorded(run, "loss")
    assert {(epoch, task) for epoch, _, task in learned} == {
        (epoch, task) for epoch in (1, 2, 3) for task in ("logp", "acid", "neighbours")
    }
    assert all(learned[3, "train", task] != learned[1, "train", task] for task in ("logp", "acid", "neighbours"))
    share = {"logp": 0.5, "acid": 1.0, "neighbours": 0.5}
    for epoch in (1, 2, 3):
        s = {task: learned[epoch, "train", task] for task in share}
        terms = {task: share[task] * np.exp(-s[task]) * figures[epoch, "val", task] + s[task] / 2 for task in share}
        expected = terms["logp"] + 0.5 * terms["acid"] + terms["neighbours"]
        assert figures[epoch, "val", None] == pytest.approx(expected, rel=1e-5)


def test_learned_weights_are_resumed_to_the_same_bits(
    experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (EVERY_STEP, "training.task_weights=uncertainty", "tasks.acid.loss={name: balanced_bce, beta: 0.9}")
    whole = train(experiment(*options, run="whole"))
    killed = experiment(*options, run="killed")
    train_until(killed, 7, monkeypatch)
    assert_same_run(whole, resume(killed.run_folder))


@pytest.mark.parametrize("reduction", ["value", "label"])
def test_the_reduction_of_the_configuration_is_that_of_the_loss(
    experiment: MakeExperiment, mixture: TaskMixture, reduction: str
) -> None:
    chosen = experiment(f"tasks.logp.reduction={reduction}", "tasks.logp.normalize=none")
    tasks = load_task_mixture(chosen, quiet).tasks
    model = MolecularModel(specify(chosen, tasks)).eval()
    first, last = mixture.graphs.collection.ranges["props"]
    batch = mixture.graphs.collection.batch(range(first, last))
    batch.weights.clear()
    predictions = model(batch)
    error = np.abs(predictions["logp"].detach().numpy() - batch.labels["logp"].numpy())  # a third of tpsa is missing
    expected = np.nanmean(error) if reduction == "value" else np.nanmean(error, axis=0).mean()
    assert task_losses(model, task_sums(model, predictions, batch))["logp"].item() == pytest.approx(expected, rel=1e-5)


def test_classes_are_counted_in_the_training_part_and_kept_with_the_model(
    experiment: MakeExperiment, mixture: TaskMixture
) -> None:
    chosen = experiment("tasks.acid.loss=balanced_bce", "training.epochs=1", "training.average=null")
    run = train(chosen)
    labels = mixture.labelled(mixture.tasks["acid"], "train").labels[:, 0]
    kept = load_model(run.path)
    assert kept.losses["acid"].state_dict()["counts"].tolist() == [[int((labels == 0).sum()), int((labels == 1).sum())]]
    positions = mixture.graphs.positions("val", "props")
    scores = evaluate(kept, [mixture.graphs.collection.batch(positions)])
    assert scores.losses["acid"] == pytest.approx(recorded(run, "loss")[1, "val", "acid"], rel=1e-5)
