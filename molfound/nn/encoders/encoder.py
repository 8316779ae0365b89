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

    def forward(self, batch: GraphBatch) -> Representations:
        """Return the representations of a batch; `widths` tells the width at each level."""
        raise NotImplementedError


encoders: Registry[type[Encoder]] = Registry("encoder")
