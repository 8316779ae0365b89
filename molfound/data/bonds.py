"""Bonds as a store keeps them: both ends of each, from which `molfound.chem.edges` makes the directed edges."""

import numpy as np

from molfound.chem.edges import Locals
from molfound.chem.graphs import GraphBlock


def bond_ends(graphs: GraphBlock) -> tuple[Locals, Locals]:
    """Return the lower and the higher local atom number of each bond, uint16 ``[B]`` each."""
    bond = graphs.edge_bond + np.repeat(graphs.bond_ptr[:-1], np.diff(graphs.edge_ptr))
    upward = graphs.edge_source < graphs.edge_target
    lower = np.empty(graphs.bond_ptr[-1], np.uint16)
    higher = np.empty_like(lower)
    lower[bond[upward]] = graphs.edge_source[upward]
    higher[bond[upward]] = graphs.edge_target[upward]
    return lower, higher
