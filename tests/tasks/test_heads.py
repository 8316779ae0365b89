"""Every registered head."""

import pytest
import torch

from molfound.errors import MolfoundError
from molfound.tasks.heads import Head, heads
from molfound.tasks.losses import bound_loss, masked_loss
from tests.tasks.examples import task_of

KINDS = ["regression", "binary", "multiclass"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", heads)
def test_shape_batch_independence_and_gradients(name, kind):
    torch.manual_seed(0)
    task = task_of(kind)
    head = heads.build(name, 16, task).eval()
    assert isinstance(head, Head)
    representation = torch.randn(9, 16)
    prediction = head(representation)
    assert prediction.shape == ((9, 3, 4) if kind == "multiclass" else (9, 3))
    torch.testing.assert_close(head(representation[4:5]), prediction[4:5])
    assert head(representation[:0]).shape == prediction[:0].shape
    prediction.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", heads)
def test_learns_a_fixed_batch(name, kind):
    torch.manual_seed(0)
    task = task_of(kind)
    head = heads.build(name, 16, task)
    representation, target = torch.randn(12, 16), torch.randint(0, 2, (12, 3)).float()
    target[0, 1] = torch.nan
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    history = []
    for _ in range(60):
        loss = masked_loss(bound_loss(task.loss.name), head(representation), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.5 * history[0]


def test_mlp_options():
    head = heads.build("mlp", 16, task_of("binary"), hidden=[8, 4], dropout=0.5, activation="silu", norm="layer")
    kinds = [type(layer).__name__ for layer in head.layers]
    assert kinds == [*["Linear", "LayerNorm", "SiLU", "Dropout"] * 2, "Linear"]
    assert [layer.out_features for layer in head.layers if isinstance(layer, torch.nn.Linear)] == [8, 4, 3]
    assert len(heads.build("mlp", 16, task_of("binary"), hidden=[]).layers) == 1


@pytest.mark.parametrize("options", [{"hidden": [0]}, {"dropout": 1.0}, {"activation": "rellu"}, {"widths": [3]}])
def test_wrong_options_are_refused_before_anything_is_built(options):
    with pytest.raises(MolfoundError, match=f"head 'mlp'.*{next(iter(options))}"):
        heads.check("mlp", options)
