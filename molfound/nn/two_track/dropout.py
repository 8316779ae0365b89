"""Dropout with structure: of entries in all rows of a matrix of pairs, and of whole updates."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RowSharedDropout(nn.Module):
    """Dropout of ``[B, L, L, P]`` with one mask for all rows of a molecule (Jumper et al., 2021).

    Args:
        share: of the entries that are set to zero in training.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        """Return the values with a share of them set to zero and the others scaled up, in training."""
        if not self.training or self.share == 0:
            return values
        return values * F.dropout(torch.ones_like(values[:, :1]), self.share)

    def extra_repr(self) -> str:
        """Return what `repr` shows: the share."""
        return f"{self.share:g}"


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., 2016): leaves out an update for some molecules of the batch altogether.

    Args:
        share: of the molecules whose update is left out in training.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, update: Tensor) -> Tensor:
        """Return the update ``[B, ...]``, zero for a share of the molecules, scaled up for the others, in training."""
        if not self.training or self.share == 0:
            return update
        ones = update.new_ones((update.shape[0],) + (1,) * (update.dim() - 1))
        return update * F.dropout(ones, self.share)

    def extra_repr(self) -> str:
        """Return what `repr` shows: the share."""
        return f"{self.share:g}"
