"""The two-track transformer from its inputs to its representations."""

from dataclasses import dataclass
from itertools import islice

import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from molfound.nn.two_track.atoms import AtomTrack
from molfound.nn.two_track.block import TwoTrackBlock
from molfound.nn.two_track.extent import Extent, NormLength
from molfound.nn.two_track.initialization import Init, initialize
from molfound.nn.two_track.inputs import MoleculeTensors
from molfound.nn.two_track.pairs import PairTrack, PairType
from molfound.nn.two_track.precision import widened


@dataclass(frozen=True)
class Size:
    """What distinguishes the published sizes: number of blocks, width of the atom track, number of heads."""

    depth: int
    width: int
    heads: int


SIZES: dict[str, Size] = {
    "42M": Size(6, 768, 48),
    "84M": Size(12, 768, 48),
    "164M": Size(24, 768, 48),
    "310M": Size(32, 1024, 64),
    "570M": Size(32, 1536, 96),
    "1.1B": Size(64, 1536, 96),
}


@dataclass(frozen=True)
class Tracks:
    """What the network makes of B molecules padded to L atoms; finite but meaningless in the padding.

    Attributes:
        molecules: ``[B, D]``, the virtual atoms.
        atoms: ``[B, L, D]``.
        pairs: ``[B, L, L, P]``.
    """

    molecules: Tensor
    atoms: Tensor
    pairs: Tensor


class TwoTrackNetwork(nn.Module):
    """The two-track transformer of Uni-Mol2 (Ji et al., 2024, arXiv 2406.14969), without its heads.

    Args:
        depth: number of blocks.
        width: width of the atom track.
        heads: number of attention heads.
        pair_width: width of the pair track.
        pair_hidden: width of the factors of the outer product and of the triangle update.
        gaussians: number of Gaussians in the distance kernel.
        dropout: share of each update left out in training, but for the triangle update.
        attention_dropout: share of the attention weights left out in training.
        triangle_dropout: share of the triangle update left out in training, the same in all rows of a molecule.
        drop_path: share of the molecules for which an update of the last block is left out altogether in training; the
            share rises evenly from 0 in the first block.
        norm_length: what sums over a molecule are divided by: its own length, or the padded length, as in the published
            code, which makes a molecule's representation depend on its batch.
        pair_type: what chooses an atom's entry of the kernel's tables: its chirality, as in the published code, or its
            token.
        init: start values, see `initialize`.
        checkpoint_blocks: in training keep only what stands between blocks, and compute the rest a second time for the
            gradient.

    Raises:
        MolfoundError: the heads cannot share the width evenly.

    Example:
        Two molecules of two atoms and of one, without coordinates:

        >>> import torch
        >>> network = TwoTrackNetwork(depth=1, width=32, heads=2, pair_width=16, pair_hidden=4)
        >>> codes, pair_codes = torch.zeros(2, 2, dtype=torch.long), torch.zeros(2, 2, 2, dtype=torch.long)
        >>> molecules = MoleculeTensors(
        ...     tokens=torch.tensor([[6, 8], [6, 0]]),
        ...     degrees=codes,
        ...     features=codes[..., None].expand(2, 2, 8),
        ...     shortest_paths=pair_codes,
        ...     bond_features=pair_codes[..., None].expand(2, 2, 2, 3),
        ...     coordinates=None,
        ...     mask=torch.tensor([[True, True], [True, False]]),
        ... )
        >>> tracks = network(molecules)
        >>> tracks.molecules.shape, tracks.atoms.shape, tracks.pairs.shape
        (torch.Size([2, 32]), torch.Size([2, 2, 32]), torch.Size([2, 2, 2, 16]))
    """

    def __init__(
        self,
        depth: int,
        width: int,
        heads: int,
        *,
        pair_width: int = 512,
        pair_hidden: int = 64,
        gaussians: int = 128,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        triangle_dropout: float = 0.25,
        drop_path: float = 0.0,
        norm_length: NormLength = "real",
        pair_type: PairType = "chirality",
        init: Init = "unimol2",
        checkpoint_blocks: bool = False,
    ) -> None:
        super().__init__()
        self.norm_length, self.checkpoint_blocks = norm_length, checkpoint_blocks
        self.atoms = AtomTrack(width)
        self.pairs = PairTrack(pair_width, gaussians, pair_type)
        self.norm = nn.LayerNorm(width)
        self.pair_norm = nn.LayerNorm(pair_width)
        self.blocks = nn.ModuleList(
            TwoTrackBlock(
                width,
                heads,
                pair_width,
                pair_hidden,
                dropout=dropout,
                attention_dropout=attention_dropout,
                triangle_dropout=triangle_dropout,
                drop_path=drop_path * number / max(depth - 1, 1),
            )
            for number in range(depth)
        )
        initialize(self, init)

    def forward(self, molecules: MoleculeTensors, depth: int | None = None) -> Tracks:
        """Return the representations of the molecules, their atoms and pairs, after so many blocks (None: all)."""
        atoms, pairs = self.norm(self.atoms(molecules)), self.pair_norm(self.pairs(molecules))
        extent = Extent.of(F.pad(molecules.mask, (1, 0), value=True), self.norm_length, widened(atoms).dtype)
        for block in islice(self.blocks, depth):
            if self.checkpoint_blocks and self.training:
                atoms, pairs = checkpoint(block, atoms, pairs, extent, use_reentrant=False)
            else:
                atoms, pairs = block(atoms, pairs, extent)
        return Tracks(atoms[:, 0], atoms[:, 1:], pairs[:, 1:, 1:])
