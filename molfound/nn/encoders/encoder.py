"""What an encoder is, and the registry of encoders."""

from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from molfound.data.batch import GraphBatch
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.representations import Representations, Widths
from molfound.registry import Registry


class Encoder(nn.Module):
    """What turns a batch into representations.

    A subclass takes `inputs` as its first argument, declares its options keyword-only, sets `self.inputs` and
    `self.widths` and implements `forward(batch) -> Representations`.

    Attributes:
        inputs: the part that reads the batch: an `InputNetwork`, or one of the encoder's own.
        widths: of the representations, by level.
        reads_coordinates: whether coordinates change what the encoder yields.
    """

    inputs: nn.Module
    widths: Widths
    reads_coordinates: ClassVar[bool] = False

    def __init__(self, inputs: EncoderInputs) -> None:
        super().__init__()

    def stages(self) -> Sequence[nn.Module]:
        """Return the encoder's parts from its inputs to its output, for fine-tuning by depth; all in one by default."""
        return [self]

    def quieten(self, after: int) -> None:
        """Let the blocks after the first so many change little of what comes to them, before any training.

        By default they stay as they are: an encoder need not be able to, or its updates start at nothing anyway.
        """

    def layers(self) -> list[str]:
        """Return the names of its stages: ``inputs``, ``block_1``, …; the only one of an encoder is ``encoder``."""
        count = len(self.stages())
        return ["inputs", *(f"block_{number}" for number in range(1, count))] if count > 1 else ["encoder"]

    def forward(self, batch: GraphBatch, depth: int | None = None) -> Representations:
        """Return the representations of a batch; `widths` tells the width at each level.

        Args:
            batch: the graphs.
            depth: after how many of the blocks that follow the inputs; None: all. Asked only of an encoder that has
                several `stages`; the widths may then be others.
        """
        raise NotImplementedError


encoders: Registry[type[Encoder]] = Registry("encoder")
