"""The input network: from codes and encodings to the features of nodes and edges."""

from collections.abc import Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor, nn

from molfound.data.batch import GraphBatch
from molfound.nn.aggregation import sum_rows
from molfound.nn.blocks import MLP, hidden_parts
from molfound.nn.edge_table import EdgeGroups, EdgeTable
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.encoding_encoders import EncodingEncoder, encoding_encoders

MAX_DISTINCT_BONDS = 4096


class InputNetwork(nn.Module):
    """Atom codes and encodings to node features.

    They are a perceptron with one hidden layer (linear, layer norm, GELU, dropout) of twice the output's width on the
    one-hot codes beside the encoded encodings. An encoder that uses bonds makes `BondFeatures` of `edge_width` itself.

    Args:
        inputs: the features, the encodings and how they are embedded.

    Attributes:
        node_width: width of the node features.
        edge_width: width of edge features that goes with it, half of `node_width`.

    Raises:
        MolfoundError: an unknown encoding encoder, or one that does not fit its encoding.
    """

    def __init__(self, inputs: EncoderInputs) -> None:
        super().__init__()
        width = inputs.width
        self.node_width, self.edge_width = width, max(width // 2, 1)
        self.bond_sizes = tuple(feature.size for feature in inputs.bonds)
        hidden = 2 * width
        self.atoms = CodeEmbedding([feature.size for feature in inputs.atoms], hidden)
        built: dict[str, EncodingEncoder] = {
            name: encoding_encoders.build(encoder.name, name, inputs.encodings[name], **encoder.options)
            for name, encoder in inputs.encoders.items()
        }
        self.encodings = nn.ModuleDict(built)
        self.encoded = nn.Linear(sum(encoder.width for encoder in built.values()), hidden) if built else None
        self.out = nn.Sequential(*hidden_parts(hidden, "gelu", "layer", inputs.dropout), nn.Linear(hidden, width))

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return the node features ``[N, node_width]``."""
        hidden = self.atoms(batch.node_codes)
        if self.encoded is not None:
            hidden = hidden + self.encoded(torch.cat([encoder(batch) for encoder in self.encodings.values()], dim=1))
        features: Tensor = self.out(hidden)
        return features


class CodeEmbedding(nn.Module):
    """The sum of one embedding per categorical feature, which is one-hot codes followed by a linear map.

    Args:
        sizes: vocabulary size of each of the F features.
        width: width of the embedding.

    Example:
        >>> CodeEmbedding([4, 3], 8)(torch.tensor([[3, 0], [1, 2]], dtype=torch.uint8)).shape
        torch.Size([2, 8])
    """

    offsets: Tensor

    def __init__(self, sizes: Sequence[int], width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(sum(sizes), width))
        self.register_buffer("offsets", torch.tensor([0, *sizes]).cumsum(0)[:-1], persistent=False)
        nn.init.normal_(self.weight, std=max(len(sizes), 1) ** -0.5)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the embeddings ``[N, width]`` of codes ``[N, F]``."""
        return sum_rows(self.weight, codes + self.offsets)

    def extra_repr(self) -> str:
        """Return what `repr` shows: features, values and width."""
        return f"{len(self.offsets)} features, {self.weight.shape[0]} values, width={self.weight.shape[1]}"


class BondFeatures(nn.Module):
    """Edge features from bond codes: a perceptron with one hidden layer on the one-hot codes, once per distinct bond.

    Where the vocabularies allow at most 4,096 different bonds, the table has a row for each of them, else one for each
    bond of the batch.

    Args:
        sizes: vocabulary size of each of the F' features; may be empty.
        width: width of the edge features.
    """

    possible: Tensor
    strides: Tensor

    def __init__(self, sizes: Sequence[int], width: int) -> None:
        super().__init__()
        self.embedding = CodeEmbedding(sizes, width)
        self.mlp = MLP(width, [width], width, activation="gelu")
        self._listed = prod(sizes) <= MAX_DISTINCT_BONDS
        possible = list(product(*(range(size) for size in sizes))) if self._listed else []
        table = torch.tensor(possible, dtype=torch.uint8).view(len(possible), len(sizes))
        self.register_buffer("possible", table, persistent=False)
        strides = torch.tensor([prod(sizes[position + 1 :]) for position in range(len(sizes))], dtype=torch.int64)
        self.register_buffer("strides", strides, persistent=False)

    def forward(self, batch: GraphBatch) -> EdgeTable:
        """Return the features of the batch's edges."""
        if self._listed:
            row_of_bond = (batch.bond_codes * self.strides).sum(1)
            groups = EdgeGroups(row_of_bond.index_select(0, batch.edge_bond), self.possible.shape[0])
            return EdgeTable(self.mlp(self.embedding(self.possible)), groups)
        return EdgeTable(
            self.mlp(self.embedding(batch.bond_codes)), EdgeGroups(batch.edge_bond, batch.bond_codes.shape[0])
        )
