"""The ordered, versioned list of values that a feature's integer codes stand for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Vocabulary:
    """The values of a categorical feature in the order of their codes; one last code stands for every other value.

    Args:
        name: the feature's name.
        values: integers, or names of the members of an RDKit enumeration (then made by `of_enumeration`).
        version: to be raised when values or their order change, since stored codes then mean something else.
        numbers: the integers that stand for the values in an array; the values themselves unless given.

    Raises:
        ValueError: a value occurs twice, there is none, or the codes do not fit eight bits.

    Example:
        >>> charge = Vocabulary("charge", (-1, 0, 1))
        >>> charge.encode(np.array([0, 1, -1, 7]))
        array([1, 2, 0, 3], dtype=uint8)
        >>> charge.size
        4
    """

    name: str
    values: tuple[int | str, ...]
    version: int = 1
    numbers: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        object.__setattr__(self, "numbers", tuple(int(number) for number in self.numbers or self.values))
        if not 0 < len(self.values) <= 255:
            raise ValueError(f"vocabulary '{self.name}' has {len(self.values)} values; 1 to 255 fit its codes")
        if not len(set(self.numbers)) == len(set(self.values)) == len(self.values) == len(self.numbers):
            raise ValueError(f"vocabulary '{self.name}' holds a value twice, or not one number per value")

    @classmethod
    def of_enumeration(cls, name: str, enumeration: Any, members: Iterable[str], version: int = 1) -> "Vocabulary":
        """Return a vocabulary of an RDKit enumeration's members.

        The names are what is stored; their numbers are RDKit's own affair.

        Example:
            >>> from rdkit.Chem import BondType
            >>> Vocabulary.of_enumeration("bond_type", BondType, ("SINGLE", "AROMATIC")).encode(np.array([12, 1, 2]))
            array([1, 0, 2], dtype=uint8)
        """
        names = tuple(members)
        return cls(name, names, version, tuple(int(enumeration.names[member]) for member in names))

    @property
    def size(self) -> int:
        """The number of codes, "other" included."""
        return len(self.values) + 1

    @property
    def other(self) -> int:
        """The code of values outside the vocabulary: the last."""
        return len(self.values)

    def encode(self, values: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return the code of each value, same shape.

        Args:
            values: integers or booleans, any shape.

        Raises:
            TypeError: the values are neither integers nor booleans.
        """
        array = np.asarray(values)
        if array.dtype.kind not in "iub":
            raise TypeError(f"vocabulary '{self.name}' encodes integers and booleans, not {array.dtype}")
        lowest, codes = self._lookup
        # Both ends of the table hold "other": there everything outside the range of the values is led to.
        return codes.take(array.astype(np.int64, copy=False) - lowest, mode="clip")

    def as_dict(self) -> dict[str, Any]:
        """Return what a store or a model writes down to know the codes by.

        Example:
            >>> Vocabulary("in_ring", (0, 1)).as_dict()
            {'name': 'in_ring', 'values': [0, 1], 'version': 1}
        """
        return {"name": self.name, "values": list(self.values), "version": self.version}

    @cached_property
    def _lookup(self) -> tuple[int, npt.NDArray[np.uint8]]:
        numbers = np.array(self.numbers, dtype=np.int64)
        lowest = int(numbers.min()) - 1
        codes = np.full(int(numbers.max()) - lowest + 2, self.other, dtype=np.uint8)
        codes[numbers - lowest] = np.arange(len(numbers))
        return lowest, codes
