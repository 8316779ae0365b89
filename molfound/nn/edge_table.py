"""Edge features as a table of distinct rows."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class EdgeGroups:
    """The edges of a batch grouped by the feature row that they share.

    Attributes:
        index: int64 ``[E]``, the row of each edge.
        count: C, the number of rows.
    """

    index: Tensor
    count: int

    @cached_property
    def order(self) -> Tensor:
        """int64 ``[E]``: the edges sorted by row, on a CPU."""
        # numpy sorts 16-bit integers by radix, six times faster than torch's sort of 64-bit ones.
        narrow = np.uint16 if self.count <= 1 << 16 else np.int64
        return torch.from_numpy(np.argsort(self.index.numpy().astype(narrow), kind="stable"))

    @cached_property
    def ptr(self) -> Tensor:
        """int64 ``[C + 1]``: the edges of row c are ``order[ptr[c]:ptr[c + 1]]``."""
        return F.pad(torch.bincount(self.index, minlength=self.count).cumsum(0), (1, 0))


@dataclass(frozen=True)
class EdgeTable:
    """Edge features as a table of distinct rows: row ``groups.index[e]`` holds the features of edge e.

    Bond features are categorical, so a batch has few distinct bonds: what a network computes from their features it
    computes once per row and not once per edge.

    Attributes:
        rows: float ``[C, d]``.
        groups: which edges share which row.
    """

    rows: Tensor
    groups: EdgeGroups = field(repr=False)

    def map(self, module: nn.Module) -> "EdgeTable":
        """Return the table with a row-wise module applied to it: ``[C, d]`` to ``[C, d']``."""
        return EdgeTable(module(self.rows), self.groups)

    def expand(self) -> Tensor:
        """Return the features of every edge, ``[E, d]``."""
        return self.rows.index_select(0, self.groups.index)
