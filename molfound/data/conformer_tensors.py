"""The conformers of a collection in flat tensors, from which one per molecule is gathered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from molfound.data.coordinates import CoordinateArrays, without_coordinates
from molfound.data.views import View


@dataclass(frozen=True)
class ConformerTensors:
    """The conformers of all molecules of a collection.

    Attributes:
        coordinates: float32 ``[R, 3]`` in Å, and one last row of NaN, which stands for what is not there.
        start: int64 ``[positions]``, the first row of each molecule.
        conformers: int64 ``[positions]``, how many each has.
    """

    coordinates: Tensor
    start: Tensor
    conformers: Tensor

    @classmethod
    def of(cls, parts: Sequence[CoordinateArrays | None], graphs: Sequence[int]) -> Self | None:
        """Return the conformers of several datasets, of so many graphs each; None if none has any."""
        if all(part is None for part in parts):
            return None
        found = [part or without_coordinates(count) for part, count in zip(parts, graphs, strict=True)]
        before = np.cumsum([0, *(len(each.coordinates) for each in found)])
        starts = [first + each.ptr[:-1] for first, each in zip(before, found, strict=False)]
        absent = np.full((1, 3), np.nan, np.float32)
        return cls(
            torch.from_numpy(np.concatenate([*(each.coordinates for each in found), absent])),
            torch.from_numpy(np.concatenate(starts)),
            torch.from_numpy(np.concatenate([each.conformers for each in found])),
        )

    def gather(self, positions: Tensor, node_ptr: Tensor, rows: Tensor, view: View) -> Tensor:
        """Return one conformer per molecule, float32 ``[N, 3]``, NaN where there is none.

        Args:
            positions: int64 ``[G]``, the molecules.
            node_ptr: int64 ``[G + 1]``, of their nodes in the batch.
            rows: int64 ``[G]``, of their datasets' tables.
            view: which conformer.
        """
        nodes, conformers = node_ptr.diff(), self.conformers[positions]
        numbers = torch.from_numpy(view.conformers(rows.numpy(), conformers.numpy()))
        start = self.start[positions] + nodes * numbers
        graph = torch.repeat_interleave(nodes)
        index = torch.arange(len(graph)) + (start - node_ptr[:-1])[graph]
        return self.coordinates[torch.where(conformers[graph] > 0, index, len(self.coordinates) - 1)]
