"""Bonds as a store keeps them: both ends of each, from which the directed edges of the graphs follow."""

import numpy as np
from numpy.typing import NDArray

from molfound.chem.graphs import GraphBlock

Locals = NDArray[np.uint16]


def bond_ends(graphs: GraphBlock) -> tuple[Locals, Locals]:
    """Return the lower and the higher local atom number of each bond, uint16 ``[B]`` each."""
    bond = graphs.edge_bond + np.repeat(graphs.bond_ptr[:-1], np.diff(graphs.edge_ptr))
    upward = graphs.edge_source < graphs.edge_target
    lower = np.empty(graphs.bond_ptr[-1], np.uint16)
    higher = np.empty_like(lower)
    lower[bond[upward]] = graphs.edge_source[upward]
    higher[bond[upward]] = graphs.edge_target[upward]
    return lower, higher


def directed_edges(
    lower: Locals, higher: Locals, node_ptr: NDArray[np.int64], bond_ptr: NDArray[np.int64]
) -> tuple[Locals, Locals, Locals]:
    """Return source, target and bond of each edge, uint16 ``[2 B]`` each, in a `GraphBlock`'s order.

    Args:
        lower: uint16 ``[B]``, local number of one end of each bond.
        higher: uint16 ``[B]``, of the other.
        node_ptr: int64 ``[G+1]``.
        bond_ptr: int64 ``[G+1]``.
    """
    counts = np.diff(bond_ptr)
    bond = (np.arange(len(lower)) - np.repeat(bond_ptr[:-1], counts)).astype(np.uint16)
    first_node = np.repeat(node_ptr[:-1], counts)
    # Numbers of nodes ascend from molecule to molecule, so one sort by target, then source, keeps molecules together.
    order = np.argsort(np.concatenate(((first_node + higher) << 16 | lower, (first_node + lower) << 16 | higher)))
    return (
        np.concatenate((lower, higher))[order],
        np.concatenate((higher, lower))[order],
        np.concatenate((bond, bond))[order],
    )
