"""The head that predicts masked tokens."""

import torch.nn.functional as F
from torch import Tensor, nn

from molfound.nn.two_track.inputs import TOKENS


class TokenHead(nn.Module):
    """Logits of an atom's token: a norm, a hidden layer with GELU and a linear map (arXiv 2406.14969).

    Args:
        width: width of the atom track.

    Example:
        >>> import torch
        >>> TokenHead(16)(torch.zeros(5, 16)).shape
        torch.Size([5, 128])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, width)
        self.logits = nn.Linear(width, TOKENS)

    def forward(self, atoms: Tensor) -> Tensor:
        """Return logits ``[..., 128]`` of atoms ``[..., D]``: give the masked atoms only, to save the others."""
        result: Tensor = self.logits(F.gelu(self.hidden(self.norm(atoms))))
        return result
