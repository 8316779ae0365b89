"""What an objective is, and the registry of objectives."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor, nn

from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.representations import Representations, Widths
from molfound.registry import Registry
from molfound.tasks.corruption import CorruptedBatch

Sums = dict[str, Tensor]


class Objective(nn.Module):
    """What asks an encoder for something that a batch has lost, without any label.

    A subclass takes `inputs` and `widths`, declares its options keyword-only, says what it restores, names its losses
    and what it tells beside them, and sets `self.weights`. `forward` returns sums over a batch that can be added to
    those of another; `losses` and `figures` turn such sums into means.

    Args:
        inputs: the features of the batches.
        widths: of the encoder's representations.

    Attributes:
        restores: what of `corruption` it asks for.
        loss_names: of its losses.
        figure_names: of what it tells beside them.
        weights: of each loss.
    """

    restores: ClassVar[Literal["atoms", "bonds", "coordinates"]]
    loss_names: ClassVar[tuple[str, ...]] = ("loss",)
    figure_names: ClassVar[tuple[str, ...]] = ()
    weights: dict[str, float]

    def __init__(self, inputs: EncoderInputs, widths: Widths) -> None:
        super().__init__()

    def forward(self, made: Representations, corrupted: CorruptedBatch) -> Sums:
        """Return sums over the batch, by name; 0 where the batch has lost nothing."""
        raise NotImplementedError

    def losses(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses, by the names in `weights`."""
        raise NotImplementedError

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return what is told beside the losses; NaN where there was nothing to restore."""
        return {}


objectives: Registry[type[Objective]] = Registry("objective")


def ratio(total: Tensor, count: Tensor) -> float:
    """Return a mean from a sum and a count, NaN of nothing."""
    return float(total) / float(count) if float(count) else float("nan")
