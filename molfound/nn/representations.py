"""What an encoder makes of a batch."""

from dataclasses import dataclass

from torch import Tensor

from molfound.config.schema import Level
from molfound.nn.padding import Padding


@dataclass(frozen=True)
class PaddedRepresentations:
    """Nodes and pairs of B graphs padded to L nodes; what stands in the padding is finite and means nothing.

    Attributes:
        nodes: ``[B, L, d]``.
        pairs: ``[B, L, L, d]``.
        padding: where the nodes of the batch stand.
    """

    nodes: Tensor
    pairs: Tensor
    padding: Padding


@dataclass(frozen=True)
class Representations:
    """Representations of the parts of a batch's molecules, each level with a width of its own.

    Attributes:
        nodes: ``[N, d]``.
        edges: ``[E, d]``, or None where the encoder makes none.
        pairs: ``[P, d]`` for all ordered node pairs of each graph (pair ``(i, j)`` of a graph of n nodes is its row
            ``i * n + j``), or None where the encoder makes none.
        graphs: ``[G, d]``, or None where the encoder makes none.
        padded: the nodes and pairs as an encoder that pads has them; its pairs are packed only when they are asked for.
    """

    nodes: Tensor
    edges: Tensor | None = None
    pairs: Tensor | None = None
    graphs: Tensor | None = None
    padded: PaddedRepresentations | None = None

    def at(self, level: Level) -> Tensor | None:
        """Return the representations at the level of a task."""
        if level == "node_pair" and self.pairs is None and self.padded is not None:
            return self.padded.padding.pack_pairs(self.padded.pairs)
        return {"node": self.nodes, "edge": self.edges, "node_pair": self.pairs, "graph": self.graphs}[level]


@dataclass(frozen=True)
class Widths:
    """The width of an encoder's representations at each level, None at a level that it does not make.

    Attributes:
        heads: number of attention heads, where the encoder has some; what attends to its representations takes as many.
    """

    nodes: int
    edges: int | None = None
    pairs: int | None = None
    graphs: int | None = None
    heads: int | None = None

    def by_level(self) -> dict[str, int]:
        """Return the widths of the levels that the encoder makes, by the level of a task."""
        widths = {"node": self.nodes, "edge": self.edges, "node_pair": self.pairs, "graph": self.graphs}
        return {level: width for level, width in widths.items() if width is not None}
