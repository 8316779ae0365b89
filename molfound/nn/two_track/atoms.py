"""The start of the atom track."""

import torch
from torch import Tensor, nn

from molfound.nn.two_track.inputs import TOKENS, MoleculeTensors

_DEGREES = 128
_FEATURE_ROWS = 512


class AtomTrack(nn.Module):
    """Each atom as the sum of the embeddings of its token, its degree and its categorical features (arXiv 2406.14969).

    A virtual atom, which represents the molecule, stands first. The element is in the token alone, so that hiding the
    token hides it.

    Args:
        width: width of the atom track.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(TOKENS, width)
        self.degrees = nn.Embedding(_DEGREES, width)
        self.features = nn.EmbeddingBag(_FEATURE_ROWS, width, mode="sum")
        self.virtual = nn.Embedding(1, width)

    def forward(self, molecules: MoleculeTensors) -> Tensor:
        """Return the atoms with the virtual atom before them, ``[B, 1 + L, D]``."""
        batch, length = molecules.tokens.shape
        features = self.features(molecules.features.flatten(0, 1).long()).unflatten(0, (batch, length))
        atoms = self.tokens(molecules.tokens.long()) + self.degrees(molecules.degrees.long()) + features
        return torch.cat((self.virtual.weight.expand(batch, 1, -1), atoms), dim=1)
