"""Every registered loss, and the masked mean against dropping the missing entries."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from molfound.config.component import Component
from molfound.errors import MolfoundError
from molfound.tasks.label_summary import LabelSummary, class_count
from molfound.tasks.losses import (
    balanced_bce,
    bound_loss,
    focal,
    gaussian_nll,
    hybrid_cross_entropy,
    losses,
    masked_loss,
    needs_counts,
    predicts_variance,
)
from molfound.tasks.task_loss import TaskLoss
from tests.tasks.examples import task_of

# A loss of means and variances is of kind "moments" here.
CASES = [(name, "moments" if predicts_variance(name) else kind) for name in losses for kind in losses.kinds(name)]
ROWS, LABELS, CLASSES = 7, 4, 4
COUNTS = torch.tensor([[9, 3], [2, 8], [50, 1], [7, 0]])


def _masked(name, prediction, target, weights=None, reduction="value", gather=None):
    counts = COUNTS if needs_counts(name) else None
    return masked_loss(bound_loss(name), prediction, target, weights, reduction, counts=counts, gather=gather)


def _example(kind, seed, share=0.5):
    generator = torch.Generator().manual_seed(seed)
    shape = (ROWS, LABELS, *{"multiclass": (CLASSES,), "moments": (2,)}.get(kind, ()))
    prediction = 3 * torch.randn(shape, generator=generator)
    target = {
        "regression": torch.randn(ROWS, LABELS, generator=generator),
        "moments": torch.randn(ROWS, LABELS, generator=generator),
        "binary": torch.randint(0, 2, (ROWS, LABELS), generator=generator).float(),
        "multiclass": torch.randint(0, CLASSES, (ROWS, LABELS), generator=generator).float(),
    }[kind]
    missing = torch.rand(ROWS, LABELS, generator=generator) < share
    weights = torch.rand(ROWS, generator=generator)
    return prediction.requires_grad_(), target.masked_fill(missing, torch.nan), weights


def _of_label(name):
    """Return a loss as it is for the label of a number, which may have counts of its own."""
    counted = needs_counts(name)
    return lambda label: partial(bound_loss(name), counts=COUNTS[label : label + 1]) if counted else bound_loss(name)


def _by_dropping(elementwise, prediction, target, weights, reduction):
    """Return the loss from a loop over labels that only ever touches the entries that are present."""
    sums, totals = [], []
    for label in range(target.shape[1]):
        rows = torch.tensor([row for row in range(len(target)) if not target[row, label].isnan()], dtype=torch.long)
        if len(rows):
            kept = elementwise(label)(prediction[rows, label][:, None], target[rows, label][:, None])[:, 0]
            sums.append((kept * weights[rows]).sum())
            totals.append(weights[rows].sum())
    if reduction == "value":
        return sum(sums) / sum(totals)
    return sum(s / t for s, t in zip(sums, totals, strict=True)) / len(sums)


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("reduction", ["value", "label"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_equals_dropping_the_missing_entries(name, kind, reduction, weighted, gather, seed):
    prediction, target, weights = _example(kind, seed)
    if target.isnan().all():
        return
    loss = _masked(name, prediction, target, weights if weighted else None, reduction, gather)
    (gradient,) = torch.autograd.grad(loss, prediction)
    used = weights if weighted else torch.ones(ROWS)
    expected = _by_dropping(_of_label(name), prediction, target, used, reduction)
    (expected_gradient,) = torch.autograd.grad(expected, prediction)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("reduction", ["value", "label"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e38])
def test_a_missing_label_counts_nothing_whatever_is_predicted_there(name, kind, reduction, bad, gather):
    prediction, target, _ = _example(kind, 1)
    missing = target.isnan()
    spoilt = prediction.detach().clone()
    spoilt[missing] = bad
    spoilt.requires_grad_()
    loss = _masked(name, prediction, target, None, reduction, gather)
    spoilt_loss = _masked(name, spoilt, target, None, reduction, gather)
    assert spoilt_loss == loss
    (gradient,) = torch.autograd.grad(spoilt_loss, spoilt)
    assert (gradient[missing] == 0).all()
    assert torch.equal(gradient, torch.autograd.grad(loss, prediction)[0])


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("reduction", ["value", "label"])
@pytest.mark.parametrize("rows", [0, ROWS])
def test_a_task_without_labels_contributes_exactly_zero(name, kind, reduction, rows, gather):
    prediction, target, weights = (tensor[:rows] for tensor in _example(kind, 2, share=1.1))
    layer = torch.nn.Linear(prediction.shape[-1], prediction.shape[-1])
    loss = _masked(name, layer(prediction), target, weights, reduction, gather)
    assert loss.item() == 0.0
    loss.backward()
    assert all((parameter.grad == 0).all() for parameter in layer.parameters())


@pytest.mark.parametrize("reduction", ["value", "label"])
def test_rows_of_weight_zero_count_nothing(reduction):
    prediction, target, weights = _example("regression", 3)
    weights[:3] = 0
    loss = masked_loss(bound_loss("mae"), prediction, target, weights, reduction)
    alone = masked_loss(bound_loss("mae"), prediction[3:], target[3:], weights[3:], reduction)
    torch.testing.assert_close(loss, alone)
    assert masked_loss(bound_loss("mae"), prediction, target, torch.zeros(ROWS), reduction).item() == 0.0


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_half_precision_predictions_are_computed_in_float32(name, kind):
    prediction, target, _ = _example(kind, 4)
    rounded = prediction.detach().bfloat16()
    loss = _masked(name, rounded, target)
    assert loss.dtype == torch.float32
    assert loss == _masked(name, rounded.float(), target)


def test_options_are_bound_and_checked():
    error = torch.tensor([[10.0]])
    assert bound_loss("huber", {"delta": 2.0})(error, torch.zeros(1, 1)).item() == 2.0 * (10 - 1)
    with pytest.raises(MolfoundError, match="did you mean 'delta'"):
        bound_loss("huber", {"detla": 2.0})
    with pytest.raises(MolfoundError, match="delta"):
        bound_loss("huber", {"delta": -1.0})
    with pytest.raises(MolfoundError, match="did you mean 'huber'"):
        bound_loss("hubber")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), gamma=st.sampled_from([0.0, 0.5, 2.0, 5.0]), alpha=st.sampled_from([None, 0.25]))
def test_focal_is_the_formula_of_the_paper(seed, gamma, alpha):
    prediction, target, _ = _example("binary", seed, share=0.0)
    chance = prediction.detach().double().sigmoid()
    true = torch.where(target == 1, chance, 1 - chance)
    side = 1.0 if alpha is None else torch.where(target == 1, alpha, 1 - alpha)
    expected = -side * (1 - true) ** gamma * true.log()
    actual = focal(prediction, target, gamma=gamma, alpha=alpha)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_has_finite_gradients_however_sure_the_prediction(gamma):
    prediction = torch.tensor([[-200.0, -30.0, 0.0, 30.0, 200.0]] * 2, requires_grad=True)
    target = torch.tensor([[0.0] * 5, [1.0] * 5])
    (gradient,) = torch.autograd.grad(focal(prediction, target, gamma=gamma).sum(), prediction)
    assert gradient.isfinite().all()
    assert (gradient[0] >= 0).all()
    assert (gradient[1] <= 0).all()


def test_balanced_by_the_ratio_makes_both_classes_of_a_label_weigh_the_same():
    generator = torch.Generator().manual_seed(0)
    target = (torch.rand(400, 3, generator=generator) < torch.tensor([0.5, 0.1, 0.02])).float()
    counts = torch.stack([(target == 0).sum(0), (target == 1).sum(0)], -1)
    prediction = torch.randn(400, 3, generator=generator)
    reference = torch.nn.BCEWithLogitsLoss(reduction="none", pos_weight=counts[:, 0] / counts[:, 1])
    torch.testing.assert_close(balanced_bce(prediction, target, counts), reference(prediction, target))
    weights = balanced_bce(torch.zeros(400, 3), target, counts)
    torch.testing.assert_close((weights * target).sum(0), (weights * (1 - target)).sum(0))


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999, 0.99999])
def test_balanced_by_the_effective_number_of_samples(beta):
    def effective(n):
        return sum(beta**power for power in range(n))  # the geometric series of the paper's proof

    expected = [effective(negative) / effective(positive) for negative, positive in [(9, 3), (2, 8), (50, 1)]]
    weight = balanced_bce(torch.zeros(1, 4), torch.ones(1, 4), COUNTS, beta=beta) / math.log(2)
    torch.testing.assert_close(weight[0], torch.tensor([*expected, 1.0]), rtol=1e-4, atol=0.0)


def test_the_weight_is_capped_and_one_class_is_not_weighed():
    counts = torch.tensor([[10**6, 1], [0, 5], [5, 0], [0, 0]])
    weight = balanced_bce(torch.zeros(1, 4), torch.ones(1, 4), counts, cap=20.0) / math.log(2)
    torch.testing.assert_close(weight, torch.tensor([[20.0, 1.0, 1.0, 1.0]]))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    alpha=st.sampled_from([0.0, 0.3, 1.0]),
    error=st.sampled_from(["squared", "absolute"]),
)
def test_hybrid_cross_entropy_mixes_cross_entropy_and_the_error_of_the_mean_bin(seed, alpha, error):
    prediction, target, _ = _example("multiclass", seed, share=0.0)
    entropy = torch.nn.functional.cross_entropy(prediction.movedim(-1, 1), target.long(), reduction="none")
    mean = sum(number * prediction.softmax(-1)[..., number] for number in range(CLASSES))
    miss = (mean - target).abs() ** (2 if error == "squared" else 1)
    actual = hybrid_cross_entropy(prediction, target, alpha=alpha, error=error)
    torch.testing.assert_close(actual, alpha * entropy + (1 - alpha) * miss, rtol=1e-5, atol=1e-5)


def test_hybrid_cross_entropy_knows_which_bin_is_near():
    logits = 8 * torch.eye(5)[[1, 4]][:, None]  # sure of bin 1, sure of bin 4; the truth is bin 0
    near, far = hybrid_cross_entropy(logits, torch.zeros(2, 1))[:, 0]
    assert far > near + 5


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("reduction", ["value", "label"])
def test_the_loss_of_a_task_is_the_same_for_a_batch_and_for_packed_values(name, kind, reduction):
    prediction, target, _ = _example(kind, 5)
    loss = TaskLoss(
        task_of("regression" if kind == "moments" else kind, LABELS, loss=Component(name), reduction=reduction)
    )
    row, label = np.nonzero(~target.isnan().numpy())
    present = target[row, label]
    if loss.counts is not None:
        loss.fit(LabelSummary.of(label, present.numpy(), LABELS, class_count(kind, loss.counts.shape[1])))
        assert loss.counts.tolist() == [[int((target[:, i] == c).sum()) for c in (0, 1)] for i in range(LABELS)]
    values = loss.values(torch.from_numpy(label), prediction[row, label], present)
    dense = torch.zeros(ROWS, LABELS).index_put((torch.from_numpy(row), torch.from_numpy(label)), values)
    there = ~target.isnan()
    by_label = [dense[there[:, i], i].mean() for i in range(LABELS) if there[:, i].any()]
    expected = values.mean() if reduction == "value" else torch.stack(by_label).mean()
    torch.testing.assert_close(loss(prediction, target), expected)


def test_gaussian_likelihood_is_that_of_torch_and_of_mse():
    moments, target, _ = _example("moments", 6, share=0)
    mean, log_variance = moments.unbind(-1)
    expected = torch.nn.GaussianNLLLoss(reduction="none")(mean, target, log_variance.exp())
    torch.testing.assert_close(gaussian_nll(moments, target), expected)
    # Weighed by its variance, a molecule moves its mean as far as by the squared error.
    (gradient,) = torch.autograd.grad(gaussian_nll(moments, target, beta=1.0).sum(), moments)
    torch.testing.assert_close(gradient[..., 0], (mean - target).detach(), rtol=1e-4, atol=1e-5)
    sure = torch.tensor([[[0.0, -500.0]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(gaussian_nll(sure, torch.ones(1, 1)).sum(), sure)
    assert gradient.isfinite().all()
    assert gradient[0, 0, 1] < 0


def test_counts_travel_with_the_model_where_a_loss_asks_for_them():
    task = task_of("binary", loss=Component("balanced_bce"))
    summary = LabelSummary.of(np.array([0, 0, 1, 2]), np.array([0.0, 1.0, 1.0, 0.0], np.float32), 3, classes=2)
    fitted = TaskLoss(task).fit(summary)
    loaded = TaskLoss(task)
    loaded.load_state_dict(fitted.state_dict())
    prediction, target = torch.randn(5, 3), torch.randint(0, 2, (5, 3)).float()
    assert loaded(prediction, target) == fitted(prediction, target)
    assert not TaskLoss(task_of("binary")).state_dict()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("focal", {"gamma": -1.0}),
        ("focal", {"alpha": 1.5}),
        ("balanced_bce", {"beta": 1.0}),
        ("balanced_bce", {"cap": 0.0}),
        ("hybrid_cross_entropy", {"alpha": -0.1}),
        ("hybrid_cross_entropy", {"error": "cubed"}),
    ],
)
def test_values_out_of_range_are_refused(name, options):
    with pytest.raises(MolfoundError, match=f"loss '{name}', option '{next(iter(options))}'"):
        bound_loss(name, options)
