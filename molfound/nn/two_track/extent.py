"""Which atoms and pairs of a padded batch are there, and the length that sums over a molecule are divided by."""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

NormLength = Literal["real", "padded"]


@dataclass(frozen=True)
class Extent:
    """The extent of each of B molecules within L places, the virtual atom's place included.

    Attributes:
        atoms: bool ``[B, L]``, true where there is an atom.
        pairs: bool ``[B, L, L, 1]``, true where both atoms are there.
        length: float ``[B, 1, 1, 1]``, what sums over a molecule are divided by; at least 1.
    """

    atoms: Tensor
    pairs: Tensor
    length: Tensor

    @classmethod
    def of(cls, atoms: Tensor, norm_length: NormLength, dtype: torch.dtype) -> Self:
        """Return the extent of the atoms.

        Args:
            atoms: bool ``[B, L]``.
            norm_length: divide by each molecule's own number of places ("real"), or by L ("padded"), which makes what
                a molecule yields depend on the batch it is in.
            dtype: of the length.
        """
        counts = atoms.sum(1, dtype=dtype).clamp(min=1)
        lengths = counts if norm_length == "real" else torch.full_like(counts, atoms.shape[1])
        return cls(atoms, (atoms[:, :, None] & atoms[:, None, :])[..., None], lengths[:, None, None, None])
