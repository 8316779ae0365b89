"""What an encoder makes of a batch."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Representations:
    """Representations of the parts of a batch's molecules, each level with a width of its own.

    Attributes:
        nodes: ``[N, d]``.
        edges: ``[E, d]``, or None where the encoder makes none.
        pairs: ``[P, d]`` for all ordered node pairs of each graph (pair ``(i, j)`` of a graph of n nodes is its row
            ``i * n + j``), or None where the encoder makes none.
        graphs: ``[G, d]``, or None where the encoder makes none.
    """

    nodes: Tensor
    edges: Tensor | None = None
    pairs: Tensor | None = None
    graphs: Tensor | None = None


@dataclass(frozen=True)
class Widths:
    """The width of an encoder's representations at each level, None at a level that it does not make."""

    nodes: int
    edges: int | None = None
    pairs: int | None = None
    graphs: int | None = None
