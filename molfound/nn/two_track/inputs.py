"""What the two-track transformer reads: molecules as padded tensors."""

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

TOKENS = 128
PAD_TOKEN = 0
MASK_TOKEN = 127


@dataclass(frozen=True)
class MoleculeTensors:
    """B molecules padded to L atoms. What stands in the padding is never read into what stands outside it.

    The virtual atom that represents the molecule (CLS) is added by the network. Codes are integers of any type; in the
    padding they may be any that are valid elsewhere.

    Attributes:
        tokens: ``[B, L]``, atomic numbers; `PAD_TOKEN` in the padding, `MASK_TOKEN` where the element is hidden.
        degrees: ``[B, L]``, numbers of neighbours, below 128.
        features: ``[B, L, 8]``, rows of one table, below 512, for chirality, total degree, formal charge, hydrogens,
            radical electrons, hybridisation, aromatic and in ring, in this order.
        shortest_paths: ``[B, L, L]``, bonds on the shortest path, below `UNREACHABLE`; or `UNREACHABLE` or `DROPPED`.
        bond_features: ``[B, L, L, 3]``, rows of one table, below 64, for bond type, stereo and conjugated, or for
            their absence where there is no bond.
        coordinates: float ``[B, L, 3]`` in Å, NaN at the atoms of molecules that have none; None: no molecule has any.
        mask: bool ``[B, L]``, true where there is an atom.
    """

    tokens: Tensor
    degrees: Tensor
    features: Tensor
    shortest_paths: Tensor
    bond_features: Tensor
    coordinates: Tensor | None
    mask: Tensor

    def with_hidden_elements(self, where: Tensor) -> Self:
        """Return the molecules with the elements of some atoms hidden: `where` is bool ``[B, L]``."""
        return replace(self, tokens=self.tokens.masked_fill(where, MASK_TOKEN))
