"""The conformers of a collection in flat tensors, from which one per molecule is gathered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from molfound.data.arrays import GraphArrays
from molfound.data.coordinates import ConformerChoice, without_coordinates


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
    def of(cls, parts: Sequence[GraphArrays]) -> Self:
        """Return the conformers of several datasets, one after the other."""
        found = [without_coordinates(len(part)) if part.coordinates is None else part.coordinates for part in parts]
        before = np.cumsum([0, *(len(each.coordinates) for each in found)])
        starts = [first + each.ptr[:-1] for first, each in zip(before, found, strict=False)]
        absent = np.full((1, 3), np.nan, np.float32)
        return cls(
            torch.from_numpy(np.concatenate([*(each.coordinates for each in found), absent])),
            torch.from_numpy(np.concatenate(starts)),
            torch.from_numpy(np.concatenate([each.conformers for each in found])),
        )

    def gather(self, positions: Tensor, node_ptr: Tensor, rows: Tensor, choice: ConformerChoice | None) -> Tensor:
        """Return one conformer per molecule, float32 ``[N, 3]``, NaN where there is none.

        Args:
            positions: int64 ``[G]``, the molecules.
            node_ptr: int64 ``[G + 1]``, of their nodes in the batch.
            rows: int64 ``[G]``, of their datasets' tables.
            choice: which conformer; None: the first.
        """
        nodes, conformers = node_ptr.diff(), self.conformers[positions]
        start = self.start[positions]
        if choice is not None:
            start = start + nodes * torch.from_numpy(choice.numbers(rows.numpy(), conformers.numpy()))
        graph = torch.repeat_interleave(nodes)
        index = torch.arange(len(graph)) + (start - node_ptr[:-1])[graph]
        return self.coordinates[torch.where(conformers[graph] > 0, index, len(self.coordinates) - 1)]
