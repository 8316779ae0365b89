"""A block of molecules that answers questions about all of its atoms or bonds at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, compress, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem

Integers = npt.NDArray[np.int64]


class MoleculeBlock:
    """Some molecules whose atoms, and bonds, stand in one row; what the features are computed from.

    Values come as arrays over all atoms (or bonds) of the block, molecule after molecule. Each getter runs at most once
    per block and only if a feature asks for it. A block holds one Python object per atom and bond: a few dozen
    molecules at a time are fastest, for these objects then stay in the processor's cache.

    Args:
        molecules: sanitized RDKit molecules.

    Example:
        >>> block = MoleculeBlock([Chem.MolFromSmiles("CO"), Chem.MolFromSmiles("[NH4+]")])
        >>> block.atoms(Chem.Atom.GetFormalCharge)
        array([0, 0, 1])
        >>> block.begin, block.end
        (array([0]), array([1]))
    """

    def __init__(self, molecules: Sequence[Chem.Mol]) -> None:
        self.molecules = molecules
        self._atom_counts = list(map(Chem.Mol.GetNumAtoms, molecules))
        self._bond_counts = list(map(Chem.Mol.GetNumBonds, molecules))
        self._cache: dict[tuple[Any, ...], Integers] = {}
        self._matches: dict[Chem.Mol, Integers] = {}

    def atoms(self, getter: Callable[..., Any], *arguments: Any) -> Integers:
        """Return ``getter(atom, *arguments)``, an integer, boolean or enumeration member, of each atom, [N]."""
        return self._values(self._atoms, getter, arguments)

    def bonds(self, getter: Callable[..., Any], *arguments: Any) -> Integers:
        """Return ``getter(bond, *arguments)``, an integer, boolean or enumeration member, of each bond, [B]."""
        return self._values(self._bonds, getter, arguments)

    def atom_members(self, getter: Callable[[Chem.Atom], Any], likely: Mapping[int, Chem.Atom]) -> Integers:
        """Return ``getter(atom)``, the member of an enumeration, of each atom, [N].

        RDKit needs three times as long to make such a member as to answer yes or no. So the atoms are first matched
        with queries, and the getter is called for those that none matches.

        Args:
            getter: of an enumeration's member.
            likely: for the most frequent members, by number, a query atom that matches exactly the atoms that have it.
        """
        return self._members(self._atoms, getter, likely)

    def bond_members(self, getter: Callable[[Chem.Bond], Any], likely: Mapping[int, Chem.Bond]) -> Integers:
        """Return ``getter(bond)``, the member of an enumeration, of each bond, [B]; see `atom_members`."""
        return self._members(self._bonds, getter, likely)

    def atoms_at(self, positions: Integers, getter: Callable[[Chem.Atom], Any]) -> Integers:
        """Return ``getter(atom)`` of the atoms at `positions` and 0 for the others, [N]: for what few have."""
        values = np.zeros(self.atom_count, dtype=np.int64)
        values[positions] = _array(map(getter, map(self._atoms.__getitem__, positions.tolist())))
        return values

    def bonds_where(self, chosen: npt.NDArray[np.bool_], getter: Callable[[Chem.Bond], Any]) -> Integers:
        """Return ``getter(bond)`` where `chosen`, [B], is true and 0 for the others, [B]."""
        values = np.zeros(self.bond_count, dtype=np.int64)
        values[chosen] = _array(map(getter, compress(self._bonds, chosen.tolist())))
        return values

    def matches(self, query: Chem.Mol) -> Integers:
        """Return the positions in the block of the atoms that a query of one atom matches, ascending.

        For few matches this takes less time than one getter for all atoms.
        """
        if query not in self._matches:
            found = [molecule.GetSubstructMatches(query, _ALL_MATCHES) for molecule in self.molecules]
            counts = list(map(len, found))
            local = np.array(list(chain.from_iterable(found)), dtype=np.int64).reshape(-1)
            self._matches[query] = local + np.repeat(self.node_ptr[:-1], counts)
        return self._matches[query]

    @property
    def atom_count(self) -> int:
        """The number of atoms in the block, N."""
        return int(self.node_ptr[-1])

    @property
    def bond_count(self) -> int:
        """The number of bonds in the block, B."""
        return int(self.bond_ptr[-1])

    @cached_property
    def node_ptr(self) -> Integers:
        """Where each molecule's atoms begin, and the last one's end, [G+1]."""
        return np.cumsum([0, *self._atom_counts], dtype=np.int64)

    @cached_property
    def bond_ptr(self) -> Integers:
        """Where each molecule's bonds begin, and the last one's end, [G+1]."""
        return np.cumsum([0, *self._bond_counts], dtype=np.int64)

    @cached_property
    def begin(self) -> Integers:
        """The first atom of each bond, by its number within the block, [B]."""
        return self.bonds(Chem.Bond.GetBeginAtomIdx) + self._first_atom_of_bonds

    @cached_property
    def end(self) -> Integers:
        """The second atom of each bond, by its number within the block, [B]."""
        return self.bonds(Chem.Bond.GetEndAtomIdx) + self._first_atom_of_bonds

    @cached_property
    def _first_atom_of_bonds(self) -> Integers:
        return np.repeat(self.node_ptr[:-1], self._bond_counts)

    # Iterating over `GetAtoms()` runs a Python generator per molecule; calling the getter by number takes a third.
    @cached_property
    def _atoms(self) -> list[Chem.Atom]:
        return _objects(Chem.Mol.GetAtomWithIdx, self.molecules, self._atom_counts)

    @cached_property
    def _bonds(self) -> list[Chem.Bond]:
        return _objects(Chem.Mol.GetBondWithIdx, self.molecules, self._bond_counts)

    def _values(self, objects: list[Any], getter: Callable[..., Any], arguments: tuple[Any, ...]) -> Integers:
        key = (getter, *arguments)
        if key not in self._cache:
            self._cache[key] = _array(map(getter, objects, *map(repeat, arguments)))
        return self._cache[key]

    def _members(self, objects: list[Any], getter: Callable[[Any], Any], likely: Mapping[int, Any]) -> Integers:
        key = (getter,)
        if key not in self._cache:
            values = np.empty(len(objects), dtype=np.int64)
            left = np.arange(len(objects))
            for member, query in likely.items():
                matches = _array(map(query.Match, objects)) != 0
                values[left[matches]] = member
                left = left[~matches]
                objects = list(compress(objects, (~matches).tolist()))
            values[left] = _array(map(getter, objects))
            self._cache[key] = values
        return self._cache[key]


_ALL_MATCHES: Any = Chem.SubstructMatchParameters()
_ALL_MATCHES.uniquify = False
_ALL_MATCHES.maxMatches = 2**31 - 1


def _array(values: Iterable[Any]) -> Integers:
    return np.array(list(values), dtype=np.int64)


def _objects(getter: Callable[[Chem.Mol, int], Any], molecules: Sequence[Chem.Mol], counts: list[int]) -> list[Any]:
    owners = chain.from_iterable(map(repeat, molecules, counts))
    numbers = chain.from_iterable(map(range, counts))
    return list(map(getter, owners, numbers))
