"""Dropout with structure: of entries in all rows of a matrix of pairs, and of whole updates."""

import torch.nn.functional as F
from torch import Tensor, nn


class SharedDropout(nn.Module):
    """Dropout whose mask is shared along some dimensions; a subclass says which, by the mask's shape.

    Args:
        share: of the mask's entries that are zero in training.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def mask_shape(self, values: Tensor) -> tuple[int, ...]:
        """Return the shape of the mask, 1 where it is shared."""
        raise NotImplementedError

    def forward(self, values: Tensor) -> Tensor:
        """Return the values with a share of them set to zero and the others scaled up, in training."""
        if not self.training or self.share == 0:
            return values
        return values * F.dropout(values.new_ones(self.mask_shape(values)), self.share)

    def extra_repr(self) -> str:
        """Return what `repr` shows: the share."""
        return f"{self.share:g}"


class RowSharedDropout(SharedDropout):
    """Dropout of ``[B, L, L, P]`` with one mask for all rows of a molecule (Jumper et al., 2021)."""

    def mask_shape(self, values: Tensor) -> tuple[int, ...]:
        """Return ``(B, 1, L, P)``."""
        return (values.shape[0], 1, *values.shape[2:])


class DropPath(SharedDropout):
    """Stochastic depth (Huang et al., 2016): leaves out an update for some molecules of the batch altogether."""

    def mask_shape(self, values: Tensor) -> tuple[int, ...]:
        """Return ``(B, 1, ...)``."""
        return (values.shape[0],) + (1,) * (values.dim() - 1)
