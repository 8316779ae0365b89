import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from molfound.nn.blocks import MLP, BatchNorm, Dropout


@given(share=st.floats(0.01, 0.95), seed=st.integers(0, 2**31))
def test_dropout_zeroes_its_share_and_keeps_the_expectation(share: float, seed: int) -> None:
    torch.manual_seed(seed)
    dropped = Dropout(share)(torch.ones(200, 201))
    kept = 1 - max(round(256 * share), 1) / 256
    assert dropped.unique().tolist() == pytest.approx([0, 1 / kept])
    deviation = (kept * (1 - kept) / dropped.numel()) ** 0.5
    assert abs((dropped > 0).double().mean().item() - kept) < 6 * deviation
    assert abs(kept - (1 - share)) <= 1 / 256


def test_dropout_entries_are_independent() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(40_000, 16)) > 0).double()
    correlation = torch.corrcoef(kept.T) - torch.eye(16)
    assert correlation.abs().max() < 6 / 40_000**0.5


def test_dropout_follows_the_seed_and_masks_its_gradient() -> None:
    values = torch.randn(13, 7, requires_grad=True)
    torch.manual_seed(5)
    first = Dropout(0.3)(values)
    torch.manual_seed(5)
    assert torch.equal(first, Dropout(0.3)(values))
    assert not torch.equal(first, Dropout(0.3)(values))
    (gradient,) = torch.autograd.grad(first.sum(), values)
    torch.testing.assert_close(gradient * values, first)


@pytest.mark.parametrize("shape", [(0, 4), (1, 3), (5,), (2, 3, 4)])
def test_dropout_takes_any_shape(shape: tuple[int, ...]) -> None:
    assert Dropout(0.5)(torch.ones(shape)).shape == shape


def test_dropout_does_nothing_in_evaluation_or_without_a_share() -> None:
    values = torch.randn(4)
    assert Dropout(0.9).eval()(values) is values
    assert Dropout(0.0)(values) is values


@pytest.mark.parametrize("rows", [0, 1])
def test_batch_norm_takes_few_rows_in_training(rows: int) -> None:
    norm = BatchNorm(3)
    norm(torch.randn(50, 3) + 2)
    values, mean = torch.randn(rows, 3), norm.running_mean.clone()
    expected = (values - mean) / (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(norm(values), expected)
    assert torch.equal(norm.running_mean, mean)


def test_batch_norm_is_torchs_otherwise() -> None:
    ours, theirs, values = BatchNorm(3), nn.BatchNorm1d(3), torch.randn(20, 3)
    torch.testing.assert_close(ours(values), theirs(values))
    torch.testing.assert_close(ours.eval()(values), theirs.eval()(values))


def test_mlp_is_its_layers_in_order() -> None:
    mlp = MLP(4, [5, 6], 2, activation="tanh", norm="layer", dropout=0.1)
    kinds = [type(module) for module in mlp]
    hidden = [nn.Linear, nn.LayerNorm, nn.Tanh, Dropout]
    assert kinds == [*hidden, *hidden, nn.Linear]
    assert [type(module) for module in MLP(4, [], 2)] == [nn.Linear]
