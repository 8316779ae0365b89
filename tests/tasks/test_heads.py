"""Every registered head."""

import pytest
import torch

from molfound.config.component import Component
from molfound.errors import MolfoundError
from molfound.tasks.heads import Head, heads
from molfound.tasks.losses import bound_loss, masked_loss
from tests.tasks.examples import task_of

KINDS = ["regression", "binary", "multiclass"]
MOMENTS = Component("gaussian_nll")


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


@pytest.mark.parametrize("name", heads)
def test_learns_mean_and_variance(name):
    """Of two labels whose deviations are 2 and a half around what the row says."""
    torch.manual_seed(0)
    head = heads.build(name, 16, task_of("regression", 2, loss=MOMENTS))
    representation = torch.randn(512, 16)
    assert head(representation).shape == (512, 2, 2)
    target = representation[:, :2] + torch.tensor([2.0, 0.5]) * torch.randn(512, 2)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        masked_loss(bound_loss("gaussian_nll"), head(representation), target).backward()
        optimizer.step()
    found = (head(representation)[..., 1].mean(0) / 2).exp()
    torch.testing.assert_close(found.detach(), torch.tensor([2.0, 0.5]), rtol=0.4, atol=0)


def test_mlp_options():
    head = heads.build("mlp", 16, task_of("binary"), hidden=[8, 4], dropout=0.5, activation="silu", norm="layer")
    kinds = [type(layer).__name__ for layer in head.layers]
    assert kinds == [*["Linear", "LayerNorm", "SiLU", "Dropout"] * 2, "Linear"]
    assert [layer.out_features for layer in head.layers if isinstance(layer, torch.nn.Linear)] == [8, 4, 3]
    assert len(heads.build("mlp", 16, task_of("binary"), hidden=[]).layers) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_low_rank_head_is_a_linear_map_of_that_rank(kind):
    torch.manual_seed(0)
    head = heads.build("low_rank", 16, task_of(kind, labels=7), rank=2)
    outputs = head.outputs
    joined = head.last.weight @ head.shared.weight
    assert joined.shape == (outputs, 16)
    assert torch.linalg.matrix_rank(joined) == 2
    representation = torch.randn(5, 16)
    torch.testing.assert_close(head(representation).view(5, outputs), representation @ joined.T + head.last.bias)


@pytest.mark.parametrize("kind", KINDS)
def test_every_label_has_a_bottleneck_of_its_own(kind):
    torch.manual_seed(0)
    head = heads.build("label_bottleneck", 16, task_of(kind), hidden=5, activation="tanh")
    representation = torch.randn(6, 16)
    prediction = head(representation)
    first, classes = head.bottleneck[0], head.classes or 1
    for label in range(3):
        own = torch.nn.Sequential(torch.nn.Linear(16, 5), torch.nn.Tanh(), torch.nn.Linear(5, classes))
        with torch.no_grad():
            own[0].weight.copy_(first.weight[5 * label : 5 * label + 5])
            own[0].bias.copy_(first.bias[5 * label : 5 * label + 5])
            own[2].weight.copy_(head.weight[label].T)
            own[2].bias.copy_(head.bias[classes * label : classes * (label + 1)])
        torch.testing.assert_close(prediction[:, label].reshape(6, classes), own(representation))
    gradients = torch.autograd.grad(prediction[:, 1].sum(), [first.weight, head.weight])
    assert (gradients[0][:5] == 0).all()
    assert (gradients[0][10:] == 0).all()
    assert (gradients[0][5:10] != 0).any()
    assert [bool(gradient.any()) for gradient in gradients[1]] == [False, True, False]


@pytest.mark.parametrize("options", [{"hidden": [0]}, {"dropout": 1.0}, {"activation": "rellu"}, {"widths": [3]}])
def test_wrong_options_are_refused_before_anything_is_built(options):
    with pytest.raises(MolfoundError, match=f"head 'mlp'.*{next(iter(options))}"):
        heads.check("mlp", options)
