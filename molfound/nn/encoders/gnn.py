"""The message-passing encoder."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from molfound.config.component import Component
from molfound.config.schema import Count, Dropout
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.aggregation import Adjacency
from molfound.nn.blocks import Activation, Norm, hidden_parts
from molfound.nn.edge_table import EdgeGroups, EdgeTable
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.encoders.encoder import Encoder, encoders
from molfound.nn.inputs import BondFeatures, InputNetwork
from molfound.nn.layers import layers
from molfound.nn.representations import Representations, Widths

QUIET_SCALE = 0.01


@encoders.register("gnn")
class GNN(Encoder):
    """A stack of message-passing layers, each followed by norm, activation and dropout, with a residual around it.

    The residual is left out where a block changes the width, which is the first one unless the inputs have the
    encoder's width.

    Args:
        inputs: what it reads, through an `InputNetwork`.
        layer: the layer, by name or as a mapping with its options: ``{"name": "gin", "hidden": 192}``.
        depth: number of layers.
        width: width of the node representations.
        norm: after each layer: over each row, over the batch, or none.
        activation: after each layer; inside a layer it is the layer's own option.
        dropout: share of the entries left out after each layer in training.
        residual: whether each block adds its input to its output.

    Raises:
        MolfoundError: an unknown layer or layer option, or options without the layer's name.
    """

    def __init__(
        self,
        inputs: EncoderInputs,
        *,
        layer: str | dict[str, Any] = "gine",
        depth: Count = 4,
        width: Count = 96,
        norm: Norm = "layer",
        activation: Activation = "gelu",
        dropout: Dropout = 0.0,
        residual: bool = True,
    ) -> None:
        super().__init__(inputs)
        self.inputs = network = InputNetwork(inputs)
        chosen = _component(layer)
        edge_width = network.edge_width if layers[chosen.name].uses_edges else 0
        self.bonds = BondFeatures(network.bond_sizes, edge_width) if edge_width else None
        widths = [network.node_width] + [width] * depth
        self.blocks = nn.ModuleList(
            Block(
                layers.build(chosen.name, before, width, edge_width, **chosen.options),
                nn.Sequential(*hidden_parts(width, activation, norm, dropout)),
                residual and before == width,
            )
            for before in widths[:-1]
        )
        self.widths = Widths(nodes=width)

    def forward(self, batch: GraphBatch, depth: int | None = None) -> Representations:
        """Return the representations of the nodes, ``[N, width]``, after so many blocks (None: all)."""
        nodes, edges = self.inputs(batch), self._edges(batch)
        adjacency = Adjacency.of(batch)
        for block in islice(self.blocks, depth):
            nodes = block(nodes, edges, adjacency)
        return Representations(nodes)

    def stages(self) -> Sequence[nn.Module]:
        """Return the inputs, those of nodes and of bonds, and then the blocks."""
        inputs = self.inputs if self.bonds is None else nn.ModuleList([self.inputs, self.bonds])
        return [inputs, *self.blocks]

    def quieten(self, after: int) -> None:
        """Scale down what the blocks after the first so many add, where they have a residual and a norm."""
        for block in islice(self.blocks, after, None):
            assert isinstance(block, Block)
            block.quieten()

    def _edges(self, batch: GraphBatch) -> EdgeTable:
        """Return the edge features, of width 0 if the layers use none."""
        if self.bonds is not None:
            features: EdgeTable = self.bonds(batch)
            return features
        count = batch.bond_codes.shape[0]
        return EdgeTable(torch.empty(count, 0, device=batch.bond_codes.device), EdgeGroups(batch.edge_bond, count))


def _component(layer: str | dict[str, Any]) -> Component:
    try:
        return Component.of(layer)
    except PydanticCustomError as error:
        raise MolfoundError(f"encoder 'gnn', option 'layer': {error} (got {layer!r})") from None


class Block(nn.Module):
    """A layer, what follows it, and the residual around both."""

    def __init__(self, layer: nn.Module, after: nn.Sequential, residual: bool) -> None:
        super().__init__()
        self.layer, self.after, self.residual = layer, after, residual

    def quieten(self) -> None:
        """Scale down what is added to the input, if there is a norm to do it with.

        The scale is not 0, as in Goyal et al., "Accurate, large minibatch SGD" (2017): behind the norm comes the
        activation, and a ReLU at 0 would pass no gradient ever.
        """
        norm = self.after[0]
        if self.residual and isinstance(norm, nn.LayerNorm | nn.BatchNorm1d):
            nn.init.constant_(norm.weight, QUIET_SCALE)

    def forward(self, nodes: Tensor, edges: EdgeTable, adjacency: Adjacency) -> Tensor:
        """Return the node features after the block."""
        updated: Tensor = self.after(self.layer(nodes, edges, adjacency))
        return nodes + updated if self.residual else updated
