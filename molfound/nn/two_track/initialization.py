"""The start values of the parameters."""

from typing import Literal

from torch import nn

from molfound.nn.two_track.attention import PairBiasedAttention
from molfound.nn.two_track.coordinates import CoordinateHead
from molfound.nn.two_track.feed_forward import FeedForward
from molfound.nn.two_track.outer_product import OuterProduct
from molfound.nn.two_track.pairs import GaussianKernel
from molfound.nn.two_track.triangle import TriangleUpdate

Init = Literal["unimol2", "stable"]

_UPDATES = (PairBiasedAttention, FeedForward, OuterProduct, TriangleUpdate, CoordinateHead)


def initialize(network: nn.Module, init: Init) -> None:
    """Give the parameters of a network or a head their start values.

    Args:
        network: with parameters of any kind within it.
        init: "unimol2": every weight from N(0, 0.02), as in the published code, so that distances enter almost as one;
            "stable": distances enter as they are, and all updates of both tracks and of the coordinates start at 0.
            Biases are 0 in both.
    """
    for part in network.modules():
        if isinstance(part, nn.Linear | nn.Embedding | nn.EmbeddingBag):
            nn.init.normal_(part.weight, std=0.02)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
    if init == "stable":
        _calm(network)


def _calm(network: nn.Module) -> None:
    """Let updates start at 0 and distances enter as they are."""
    for part in network.modules():
        if isinstance(part, _UPDATES):
            nn.init.zeros_(part.out.weight)
        if isinstance(part, GaussianKernel):
            nn.init.constant_(part.scales.weight, 0.5)
            nn.init.zeros_(part.shifts.weight)
