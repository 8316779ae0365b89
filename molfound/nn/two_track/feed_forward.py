"""The position-wise feed-forward network of both tracks."""

import torch.nn.functional as F
from torch import Tensor, nn


class FeedForward(nn.Module):
    """Two linear maps with GELU between them, all of one width.

    Args:
        width: of the input, the hidden layer and the output.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        """Return the update, of the shape of the values."""
        result: Tensor = self.out(F.gelu(self.hidden(values)))
        return result
