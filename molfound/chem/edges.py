"""From the bonds of many molecules to their directed edges."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Locals = NDArray[np.uint16]
"""Numbers of atoms or bonds within their molecule."""


def offsets(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return where each of many lists laid end to end begins and the last one ends, ``[G+1]``.

    >>> offsets(np.array([2, 0, 1]))
    array([0, 2, 2, 3])
    """
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def directed_edges(
    begin: Locals, end: Locals, node_ptr: NDArray[np.int64], bond_ptr: NDArray[np.int64]
) -> tuple[Locals, Locals, Locals]:
    """Return source, target and bond of each edge, uint16 ``[2 B]`` each, in a `GraphBlock`'s order.

    Args:
        begin: uint16 ``[B]``, local number of one end of each bond, whichever.
        end: uint16 ``[B]``, of the other.
        node_ptr: int64 ``[G+1]``.
        bond_ptr: int64 ``[G+1]``.

    Example:
        >>> ends = np.array([0, 1], np.uint16), np.array([1, 2], np.uint16)
        >>> [column.tolist() for column in directed_edges(*ends, np.array([0, 3]), np.array([0, 2]))]
        [[1, 0, 2, 1], [0, 1, 1, 2], [0, 0, 1, 1]]
    """
    counts = np.diff(bond_ptr)
    bond = (np.arange(len(begin)) - np.repeat(bond_ptr[:-1], counts)).astype(np.uint16)
    first_node = np.repeat(node_ptr[:-1], counts)
    # Numbers of nodes ascend from molecule to molecule, so one sort by target, then source, keeps molecules together.
    order = np.argsort(np.concatenate(((first_node + end) << 16 | begin, (first_node + begin) << 16 | end)))
    return (
        np.concatenate((begin, end))[order],
        np.concatenate((end, begin))[order],
        np.concatenate((bond, bond))[order],
    )
