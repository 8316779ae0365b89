"""From the bonds of many molecules to their directed edges, one word each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Locals = NDArray[np.uint16]
"""Numbers of atoms, bonds or edges within their molecule."""

BOND, SOURCE, TARGET, REVERSE = 0, 16, 32, 48
"""Where an edge's word has which local number, of 16 bits: by how many bits it is to be shifted down."""


def offsets(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return where each of many lists laid end to end begins and the last one ends, ``[G+1]``.

    >>> offsets(np.array([2, 0, 1]))
    array([0, 2, 2, 3])
    """
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def directed_edges(
    begin: Locals, end: Locals, node_ptr: NDArray[np.int64], bond_ptr: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the word of each edge, int64 ``[2 B]``, sorted by target, then source, in each molecule.

    It holds four local numbers: its bond, the nodes it starts from and leads to, and the edge of the same bond in the
    other direction. One word per edge is gathered several times faster than four columns.

    Args:
        begin: uint16 ``[B]``, local number of one end of each bond, whichever.
        end: uint16 ``[B]``, of the other.
        node_ptr: int64 ``[G+1]``.
        bond_ptr: int64 ``[G+1]``.

    Example:
        >>> ends = np.array([0, 1], np.uint16), np.array([1, 2], np.uint16)
        >>> edges = directed_edges(*ends, np.array([0, 3]), np.array([0, 2]))
        >>> [local_numbers(edges, number).tolist() for number in (SOURCE, TARGET, BOND, REVERSE)]
        [[1, 0, 2, 1], [0, 1, 1, 2], [0, 0, 1, 1], [1, 0, 3, 2]]
    """
    counts = np.diff(bond_ptr)
    bond = np.arange(len(begin)) - np.repeat(bond_ptr[:-1], counts)
    first_node = np.repeat(node_ptr[:-1], counts)
    # Numbers of nodes ascend from molecule to molecule, so that sorting the words leaves molecules together.
    ends = ((begin, end), (end, begin))
    words = np.concatenate(
        [(first_node + target) << TARGET | source.astype(np.int64) << SOURCE | bond for source, target in ends]
    )
    words.sort()
    words -= np.repeat(node_ptr[:-1] << TARGET, 2 * counts)
    # A bond's two edges are each other's reverse; one of them leads to the higher number.
    upward = local_numbers(words, SOURCE) < local_numbers(words, TARGET)
    place = 2 * (np.repeat(bond_ptr[:-1], 2 * counts) + local_numbers(words, BOND)) + upward
    edge_at = np.empty_like(place)
    edge_at[place] = np.arange(len(words)) - np.repeat(2 * bond_ptr[:-1], 2 * counts)
    words |= edge_at[place ^ 1] << REVERSE
    return words


def local_numbers(edges: NDArray[np.int64], number: int) -> Locals:
    """Return one of the local numbers of edges, `BOND`, `SOURCE`, `TARGET` or `REVERSE`."""
    return (edges >> number).astype(np.uint16)
