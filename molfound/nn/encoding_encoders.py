"""Encoding encoders: from the parts of one encoding to a vector for each node."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from molfound.config.schema import Count, Dropout
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.blocks import MLP, Activation
from molfound.registry import Registry


@dataclass(frozen=True)
class EncodingPart:
    """A part of an encoding as it stands in a batch, under the name ``"encoding.part"``."""

    level: str
    width: int


class EncodingEncoder(nn.Module):
    """What turns one encoding into features of the nodes.

    A subclass takes `encoding` and `parts`, declares its options keyword-only, sets `self.width` and implements
    `forward(batch) -> [N, width]`.

    Args:
        encoding: name of the encoding, such as ``"laplacian"``.
        parts: the encoding's parts by their own names, such as ``"magnitudes"``.
    """

    width: int

    def __init__(self, encoding: str, parts: Mapping[str, EncodingPart]) -> None:
        super().__init__()
        self.encoding = encoding
        self.parts = dict(parts)

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return the encoded encoding, ``[N, width]``."""
        raise NotImplementedError

    def part(self, batch: GraphBatch, name: str) -> Tensor:
        """Return a part of the encoding from a batch, one row per node: a graph's part is repeated for its nodes."""
        values = batch.encodings[f"{self.encoding}.{name}"]
        return values.index_select(0, batch.node_graph) if self.parts[name].level == "graph" else values


encoding_encoders: Registry[type[EncodingEncoder]] = Registry("encoding encoder")


@encoding_encoders.register("mlp")
class MLPEncodingEncoder(EncodingEncoder):
    """All node and graph parts side by side through a perceptron with one hidden layer. Missing entries count as 0.

    Args:
        encoding: name of the encoding.
        parts: its parts, at node or graph level.
        width: width of the output.
        hidden: width of the hidden layer; None: twice `width`.
        activation: of the hidden layer.
        dropout: share of hidden units left out in training.
    """

    def __init__(
        self,
        encoding: str,
        parts: Mapping[str, EncodingPart],
        *,
        width: Count = 32,
        hidden: Count | None = None,
        activation: Activation = "relu",
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__(encoding, parts)
        for name, part in parts.items():
            if part.level not in ("node", "graph"):
                raise MolfoundError(
                    f"encoding encoder 'mlp' takes parts at node or graph level; '{encoding}.{name}' is at {part.level}"
                )
        self.width = width
        width_in = sum(part.width for part in parts.values())
        self.mlp = MLP(width_in, [hidden or 2 * width], width, activation=activation, dropout=dropout)

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return the encoded encoding, ``[N, width]``."""
        values = [self.part(batch, name) for name in self.parts]
        encoded: Tensor = self.mlp(torch.nan_to_num(torch.cat(values, dim=1)))
        return encoded


@encoding_encoders.register("deepset")
class DeepSet(EncodingEncoder):
    """Eigenpairs as a set: f of each pair (eigenvalue, the node's magnitude), summed, then g (Zaheer et al., 2017).

    A pair that a molecule does not have (NaN) adds nothing to the sum. Magnitudes carry no sign, so the result does not
    depend on the signs that an eigensolver chose. f is one hidden layer of ReLU units, g a linear map: a second linear
    map in f could be moved past the sum and merged into g.

    Args:
        encoding: name of the encoding.
        parts: ``magnitudes`` ``[N, k]`` and ``eigenvalues`` ``[G, k]``.
        width: width of the output.
        hidden: number of hidden units of f; None: `width`.
    """

    def __init__(
        self,
        encoding: str,
        parts: Mapping[str, EncodingPart],
        *,
        width: Count = 32,
        hidden: Count | None = None,
    ) -> None:
        super().__init__(encoding, parts)
        if set(parts) != {"magnitudes", "eigenvalues"}:
            raise MolfoundError(
                "encoding encoder 'deepset' needs the parts 'eigenvalues' and 'magnitudes'; "
                f"encoding '{encoding}' has {', '.join(repr(name) for name in parts)}"
            )
        self.width = width
        self.pair = nn.Linear(2, hidden or width)
        self.out = nn.Linear(hidden or width, width)

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return the encoded encoding, ``[N, width]``."""
        eigenvalues, magnitudes = self.part(batch, "eigenvalues"), self.part(batch, "magnitudes")
        present = ~(magnitudes.isnan() | eigenvalues.isnan())
        # An absent pair is (0, 0, 0) and the third entry carries the bias, so that f is exactly 0 there.
        pairs = torch.stack((eigenvalues, magnitudes, torch.ones_like(magnitudes)), dim=2)
        pairs = pairs.masked_fill_(~present[:, :, None], 0.0)
        weight = torch.cat((self.pair.weight, self.pair.bias[:, None]), dim=1)
        encoded: Tensor = self.out(_sum_of_units(pairs, weight))
        return encoded


def _sum_of_units(points: Tensor, weight: Tensor) -> Tensor:
    """Return the sum over each set's points of ``relu(weight @ point)``: ``[N, k, c]`` and ``[h, c]`` to ``[N, h]``."""
    if points.device.type == "cpu" and not torch.compiler.is_compiling():
        with torch.autocast("cpu", enabled=False):
            result: Tensor = _SumOfUnits.apply(points, weight)  # type: ignore[no-untyped-call]
        return result
    return F.relu(F.linear(points, weight)).sum(1)


class _SumOfUnits(Function):
    """The units of all points are the largest tensor of a small model: here they are made and used in place."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, weight: Tensor) -> Tensor:
        units = (points.flatten(0, 1) @ weight.T).relu_()
        ctx.save_for_backward(points, units)
        return units.view(*points.shape[:2], len(weight)).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        points, units = ctx.saved_tensors
        of_units = gradient.repeat_interleave(points.shape[1], dim=0, output_size=units.shape[0])
        torch.ops.aten.threshold_backward.grad_input(of_units, units, 0, grad_input=of_units)
        return None, (points.flatten(0, 1).T @ of_units).T
