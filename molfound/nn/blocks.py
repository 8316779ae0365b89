"""Building blocks: activations, norms, dropout and the multi-layer perceptron."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["relu", "gelu", "silu", "tanh"]
Norm = Literal["none", "layer", "batch"]

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def activation(name: Activation) -> nn.Module:
    """Return the elementwise activation of that name.

    Example:
        >>> activation("silu")
        SiLU()
    """
    return _ACTIVATIONS[name]()


def norm(name: Norm, width: int) -> nn.Module:
    """Return the normalisation of that name for features of `width`: over each row, over the batch, or none."""
    match name:
        case "none":
            return nn.Identity()
        case "layer":
            return nn.LayerNorm(width)
        case "batch":
            return BatchNorm(width)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of ``[N, width]`` (Ioffe and Szegedy, 2015) that takes fewer than two rows in training too.

    A single row has no deviation: it is normalised by the running statistics, which it leaves as they are.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Return the normalised rows."""
        if self.training and input.shape[0] < 2:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class Dropout(nn.Module):
    """Dropout (Srivastava et al., 2014) with a cheap mask: eight entries from one random 64-bit number.

    The share that is dropped is `share` rounded to a multiple of 1/256 (0.1 becomes 0.1016, and no share above 0
    becomes 0 or 1); what stays is scaled by the inverse of the rounded share that stays, so the expectation is exact.

    Args:
        share: of the entries that are set to zero in training, from 0 to below 1.

    Example:
        >>> Dropout(0.5)(torch.ones(2, 3)).unique().tolist() in ([0.0, 2.0], [2.0], [0.0])
        True
        >>> Dropout(0.5).eval()(torch.ones(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self._threshold = min(max(round(256 * share), 1), 255) if share > 0 else 0

    def forward(self, values: Tensor) -> Tensor:
        """Return the values with a share of them set to zero and the others scaled up, in training."""
        if not self.training or self._threshold == 0:
            return values
        if values.device.type != "cpu" or torch.compiler.is_compiling():
            return F.dropout(values, self._threshold / 256)
        words = torch.empty((values.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        mask = words.view(torch.uint8)[: values.numel()].to(values.dtype).view(values.shape)
        return values * mask.ge_(self._threshold).mul_(256 / (256 - self._threshold))

    def extra_repr(self) -> str:
        """Return what `repr` shows: the share."""
        return f"{self.share:g}"


class MLP(nn.Sequential):
    """A multi-layer perceptron: hidden layers (linear, norm, activation, dropout) and a linear map after them.

    Args:
        width_in: width of the input.
        hidden: widths of the hidden layers; empty: a single linear map.
        width_out: width of the output.
        activation: of the hidden layers.
        norm: of the hidden layers.
        dropout: share of hidden units left out in training.

    Example:
        >>> MLP(4, [8], 2)(torch.zeros(3, 4)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        width_in: int,
        hidden: Sequence[int],
        width_out: int,
        *,
        activation: Activation = "relu",
        norm: Norm = "none",
        dropout: float = 0.0,
    ) -> None:
        widths = [width_in, *hidden]
        modules: list[nn.Module] = []
        for before, after in pairwise(widths):
            # Neither the linear map nor the norm needs its own output again, so that ReLU may write over it.
            modules += [nn.Linear(before, after), *hidden_parts(after, activation, norm, dropout, in_place=True)]
        super().__init__(*modules, nn.Linear(widths[-1], width_out))


def hidden_parts(
    width: int, activation_name: Activation, norm_name: Norm, dropout: float, *, in_place: bool = False
) -> list[nn.Module]:
    """Return what follows the map of a hidden layer: norm, activation and dropout, those that do something.

    Args:
        width: of the hidden layer.
        activation_name: the activation.
        norm_name: the normalisation.
        dropout: share of hidden units left out in training.
        in_place: whether ReLU may write over what comes in; only where nothing else needs that.
    """
    active = nn.ReLU(inplace=True) if in_place and activation_name == "relu" else activation(activation_name)
    parts = [norm(norm_name, width)] if norm_name != "none" else []
    return [*parts, active, *([Dropout(dropout)] if dropout > 0 else [])]
