"""The two-track transformer as an encoder."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from molfound.config.schema import Count, Dropout
from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.encoder_inputs import EncoderInputs
from molfound.nn.encoders.encoder import Encoder, encoders
from molfound.nn.padding import Padding
from molfound.nn.representations import PaddedRepresentations, Representations, Widths
from molfound.nn.two_track import SIZES, Size, TwoTrackNetwork
from molfound.nn.two_track.codes import CodeReader
from molfound.nn.two_track.extent import NormLength
from molfound.nn.two_track.initialization import Init
from molfound.nn.two_track.pairs import PairType

SizeName = Literal["42M", "84M", "164M", "310M", "570M", "1.1B"]


@encoders.register("two_track")
class TwoTrackTransformer(Encoder):
    """Uni-Mol2's transformer (arXiv 2406.14969): a track of atoms and one of their pairs, each shaping the other.

    It reads elements, categorical features, bonds and shortest paths, and coordinates of the molecules that have some.
    Encodings it does not read: its pairs hold the distances in the graph.

    Args:
        inputs: what it reads; see `CodeReader` for the features it needs.
        size: a published size, which sets depth, width and heads; null: as they are given.
        depth: number of blocks.
        width: width of the atom track.
        heads: number of attention heads.
        pair_width: width of the pair track.
        pair_hidden: width of the factors of the outer product and of the triangle update.
        gaussians: number of Gaussians in the kernel of the distance.
        dropout: share of each update left out in training, but for the triangle update.
        attention_dropout: share of the attention weights left out in training.
        triangle_dropout: share of the triangle update left out in training, the same in all rows of a molecule.
        drop_path: share of the molecules for which an update of the last block is left out in training, rising evenly
            from 0 in the first block.
        norm_length: sums over a molecule are divided by its own length, or by the padded one, as in the published code,
            which lets a molecule's representation depend on its batch.
        pair_type: an atom's entry in the tables of the kernel goes by its chirality, as in the published code, or by
            its element.
        init: start values: as published, or such that distances count and updates are zero at the start.
        graph: a molecule is represented by the virtual atom, or by what `model.readout` makes of its atoms.
        checkpointing: in training keep only what stands between the blocks, and compute the rest a second time for the
            gradient.

    Raises:
        MolfoundError: a feature that it needs is missing, there are encodings to embed, a size is given beside its
            parts, or the heads cannot share the width evenly.
    """

    reads_coordinates = True

    def __init__(
        self,
        inputs: EncoderInputs,
        *,
        size: SizeName | None = None,
        depth: Count | None = None,
        width: Count | None = None,
        heads: Count | None = None,
        pair_width: Count = 512,
        pair_hidden: Count = 64,
        gaussians: Annotated[int, Field(ge=2)] = 128,
        dropout: Dropout = 0.1,
        attention_dropout: Dropout = 0.1,
        triangle_dropout: Dropout = 0.25,
        drop_path: Dropout = 0.0,
        norm_length: NormLength = "real",
        pair_type: PairType = "chirality",
        init: Init = "stable",
        graph: Literal["virtual", "readout"] = "virtual",
        checkpointing: bool = False,
    ) -> None:
        super().__init__(inputs)
        if inputs.encoders:
            raise MolfoundError(
                f"the two-track transformer reads no encodings: take out {', '.join(inputs.encoders)} (encodings: {{}})"
            )
        chosen = _size(size, depth, width, heads)
        self.inputs = CodeReader(inputs.atoms, inputs.bonds)
        self.network = TwoTrackNetwork(
            chosen.depth,
            chosen.width,
            chosen.heads,
            pair_width=pair_width,
            pair_hidden=pair_hidden,
            gaussians=gaussians,
            dropout=dropout,
            attention_dropout=attention_dropout,
            triangle_dropout=triangle_dropout,
            drop_path=drop_path,
            norm_length=norm_length,
            pair_type=pair_type,
            init=init,
            checkpoint_blocks=checkpointing,
        )
        self._virtual = graph == "virtual"
        self.widths = Widths(
            nodes=chosen.width, pairs=pair_width, graphs=chosen.width if self._virtual else None, heads=chosen.heads
        )

    def forward(self, batch: GraphBatch, depth: int | None = None) -> Representations:
        """Return the representations of nodes, pairs and, by the virtual atom, graphs, after so many blocks."""
        padding = Padding.of(batch)
        tracks = self.network(self.inputs(batch, padding), depth)
        return Representations(
            padding.pack(tracks.atoms),
            graphs=tracks.molecules if self._virtual else None,
            padded=PaddedRepresentations(tracks.atoms, tracks.pairs, padding),
        )

    def stages(self) -> Sequence[nn.Module]:
        """Return the beginning of both tracks, with their norms, and then the blocks."""
        network = self.network
        start = nn.ModuleList([network.atoms, network.pairs, network.norm, network.pair_norm])
        return [start, *network.blocks]


def _size(name: str | None, depth: int | None, width: int | None, heads: int | None) -> Size:
    parts = {"depth": depth, "width": width, "heads": heads}
    if name is None:
        missing = [part for part, value in parts.items() if value is None]
        if missing:
            raise MolfoundError(f"the two-track transformer needs a size, or depth, width and heads: no {missing[0]}")
        return Size(**{part: value for part, value in parts.items() if value is not None})
    given = [part for part, value in parts.items() if value is not None]
    if given:
        raise MolfoundError(f"size {name} sets depth, width and heads: leave out {', '.join(given)}")
    return SIZES[name]
