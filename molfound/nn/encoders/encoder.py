"""What an encoder is, and the registry of encoders."""

from torch import nn

from molfound.data.batch import GraphBatch
from molfound.nn.inputs import InputNetwork
from molfound.nn.representations import Representations, Widths
from molfound.registry import Registry


class Encoder(nn.Module):
    """What turns a batch into representations.

    A subclass takes `inputs`, which gives it the features of the nodes, declares its options
    keyword-only, sets `self.widths` and implements `forward(batch) -> Representations`.

    Args:
        inputs: the input network.
    """

    widths: Widths

    def __init__(self, inputs: InputNetwork) -> None:
        super().__init__()
        self.inputs = inputs

    def forward(self, batch: GraphBatch) -> Representations:
        """Return the representations of a batch; `widths` tells the width at each level."""
        raise NotImplementedError


encoders: Registry[type[Encoder]] = Registry("encoder")
