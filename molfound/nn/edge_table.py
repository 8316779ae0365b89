"""Edge features as a table of distinct rows."""

from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor, nn

from molfound.nn.grouping import group_ptr, grouped_order


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
        return grouped_order(self.index, self.count)

    @cached_property
    def ptr(self) -> Tensor:
        """int64 ``[C + 1]``: the edges of row c are ``order[ptr[c]:ptr[c + 1]]``."""
        return group_ptr(self.index, self.count)


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
