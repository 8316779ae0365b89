"""One block of the two-track transformer."""

from torch import Tensor, nn

from molfound.nn.blocks import Dropout
from molfound.nn.two_track.attention import PairBiasedAttention
from molfound.nn.two_track.dropout import DropPath, RowSharedDropout
from molfound.nn.two_track.extent import Extent
from molfound.nn.two_track.feed_forward import FeedForward
from molfound.nn.two_track.outer_product import OuterProduct
from molfound.nn.two_track.triangle import TriangleUpdate


class TwoTrackBlock(nn.Module):
    """Five residual updates in turn: two of the atom track, then three of the pair track (arXiv 2406.14969).

    Each reads its track through a LayerNorm of its own; only the attention's bias reads the pairs as they are.

    Args:
        width: width of the atom track and of its feed-forward network.
        heads: number of attention heads.
        pair_width: width of the pair track and of its feed-forward network.
        pair_hidden: width of the factors of the outer product and of the triangle update.
        dropout: share of each update left out in training, but for the triangle update.
        attention_dropout: share of the attention weights left out in training.
        triangle_dropout: share of the triangle update left out in training, the same in all rows of a molecule.
        drop_path: share of the molecules for which an update is left out altogether in training.

    Raises:
        MolfoundError: the heads cannot share the width evenly.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        pair_width: int,
        pair_hidden: int,
        *,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        triangle_dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = PairBiasedAttention(width, heads, pair_width, attention_dropout)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width)
        self.outer_norm = nn.LayerNorm(width)
        self.outer = OuterProduct(width, pair_width, pair_hidden)
        self.triangle_norm = nn.LayerNorm(pair_width)
        self.triangle = TriangleUpdate(pair_width, pair_hidden)
        self.pair_feed_forward_norm = nn.LayerNorm(pair_width)
        self.pair_feed_forward = FeedForward(pair_width)
        self.dropped = nn.Sequential(Dropout(dropout), DropPath(drop_path))
        self.triangle_dropped = nn.Sequential(RowSharedDropout(triangle_dropout), DropPath(drop_path))

    def forward(self, atoms: Tensor, pairs: Tensor, extent: Extent) -> tuple[Tensor, Tensor]:
        """Return atoms ``[B, L, D]`` and pairs ``[B, L, L, P]`` after the block."""
        atoms = atoms + self.dropped(self.attention(self.attention_norm(atoms), pairs, extent))
        atoms = atoms + self.dropped(self.feed_forward(self.feed_forward_norm(atoms)))
        pairs = pairs + self.dropped(self.outer(self.outer_norm(atoms), extent))
        pairs = pairs + self.triangle_dropped(self.triangle(self.triangle_norm(pairs), extent))
        pairs = pairs + self.dropped(self.pair_feed_forward(self.pair_feed_forward_norm(pairs)))
        return atoms, pairs
