"""Every registered loss, and the masked mean against dropping the missing entries."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from molfound.errors import MolfoundError
from molfound.tasks.losses import bound_loss, losses, masked_loss

CASES = [(name, kind) for name in losses for kind in losses.kinds(name)]
ROWS, LABELS, CLASSES = 7, 4, 4


def _example(kind, seed, share=0.5):
    generator = torch.Generator().manual_seed(seed)
    shape = (ROWS, LABELS, CLASSES) if kind == "multiclass" else (ROWS, LABELS)
    prediction = 3 * torch.randn(shape, generator=generator)
    target = {
        "regression": torch.randn(ROWS, LABELS, generator=generator),
        "binary": torch.randint(0, 2, (ROWS, LABELS), generator=generator).float(),
        "multiclass": torch.randint(0, CLASSES, (ROWS, LABELS), generator=generator).float(),
    }[kind]
    missing = torch.rand(ROWS, LABELS, generator=generator) < share
    weights = torch.rand(ROWS, generator=generator)
    return prediction.requires_grad_(), target.masked_fill(missing, torch.nan), weights


def _by_dropping(elementwise, prediction, target, weights, reduction):
    """Return the loss from a loop over labels that only ever touches the entries that are present."""
    sums, totals = [], []
    for label in range(target.shape[1]):
        rows = torch.tensor([row for row in range(len(target)) if not target[row, label].isnan()], dtype=torch.long)
        if len(rows):
            kept = elementwise(prediction[rows, label][:, None], target[rows, label][:, None])[:, 0]
            sums.append((kept * weights[rows]).sum())
            totals.append(weights[rows].sum())
    if reduction == "value":
        return sum(sums) / sum(totals)
    return sum(s / t for s, t in zip(sums, totals, strict=True)) / len(sums)


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("reduction", ["value", "label"])
@pytest.mark.parametrize("weighted", [False, True])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_dropping_the_missing_entries(name, kind, reduction, weighted, seed):
    prediction, target, weights = _example(kind, seed)
    if target.isnan().all():
        return
    loss = masked_loss(bound_loss(name), prediction, target, weights if weighted else None, reduction)
    (gradient,) = torch.autograd.grad(loss, prediction)
    used = weights if weighted else torch.ones(ROWS)
    expected = _by_dropping(bound_loss(name), prediction, target, used, reduction)
    (expected_gradient,) = torch.autograd.grad(expected, prediction)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("reduction", ["value", "label"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e38])
def test_a_missing_label_counts_nothing_whatever_is_predicted_there(name, kind, reduction, bad):
    prediction, target, _ = _example(kind, 1)
    missing = target.isnan()
    spoilt = prediction.detach().clone()
    spoilt[missing] = bad
    spoilt.requires_grad_()
    loss = masked_loss(bound_loss(name), prediction, target, reduction=reduction)
    spoilt_loss = masked_loss(bound_loss(name), spoilt, target, reduction=reduction)
    assert spoilt_loss == loss
    (gradient,) = torch.autograd.grad(spoilt_loss, spoilt)
    assert (gradient[missing] == 0).all()
    assert torch.equal(gradient, torch.autograd.grad(loss, prediction)[0])


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("reduction", ["value", "label"])
@pytest.mark.parametrize("rows", [0, ROWS])
def test_a_task_without_labels_contributes_exactly_zero(name, kind, reduction, rows):
    prediction, target, weights = (tensor[:rows] for tensor in _example(kind, 2, share=1.1))
    layer = torch.nn.Linear(prediction.shape[-1], prediction.shape[-1])
    loss = masked_loss(bound_loss(name), layer(prediction), target, weights, reduction)
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
    loss = masked_loss(bound_loss(name), rounded, target)
    assert loss.dtype == torch.float32
    assert loss == masked_loss(bound_loss(name), rounded.float(), target)


def test_options_are_bound_and_checked():
    error = torch.tensor([[10.0]])
    assert bound_loss("huber", {"delta": 2.0})(error, torch.zeros(1, 1)).item() == 2.0 * (10 - 1)
    with pytest.raises(MolfoundError, match="did you mean 'delta'"):
        bound_loss("huber", {"detla": 2.0})
    with pytest.raises(MolfoundError, match="delta"):
        bound_loss("huber", {"delta": -1.0})
    with pytest.raises(MolfoundError, match="did you mean 'huber'"):
        bound_loss("hubber")
