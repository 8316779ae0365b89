"""The order of a molecule's labelled items, in the table and in its graph."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molfound.chem.edges import offsets
from molfound.chem.graphs import GraphBlock

ItemLevel = Literal["node", "edge", "node_pair"]
NOUNS: dict[ItemLevel, str] = {"node": "atoms", "edge": "edges", "node_pair": "pairs of atoms"}
MAPPED = re.compile(r":\d+\]")


@dataclass(frozen=True)
class ItemOrder:
    """The labelled items of each row of a block, and where each of the table's lists finds its place in the graph.

    Attributes:
        items: what they are, in words.
        counts: int64 ``[rows]``, items of each row; 0 where there is no molecule.
        known: bool ``[rows]``, whether there is a molecule.
        ambiguous: bool ``[rows]``, whether the atom-map numbers leave the order open.
        ptr: int64 ``[rows + 1]``, into `atoms`.
        places: int64, for each place of a row's list (of its atoms, for pairs of atoms) the local number in the graph.
    """

    items: str
    level: ItemLevel
    counts: NDArray[np.int64]
    known: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]
    ptr: NDArray[np.int64]
    places: NDArray[np.int64]

    def graph_item(self, row: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the local item in the graph of each (row, place in the row's list)."""
        start = self.ptr[row]
        if self.level == "node_pair":
            atoms = self.ptr[row + 1] - start
            item: NDArray[np.int64] = self.places[start + place // atoms] * atoms + self.places[start + place % atoms]
        else:
            item = self.places[start + place]
        return item


def item_order(
    level: ItemLevel,
    rows: int,
    kept: NDArray[np.int64],
    molecules: Sequence[Chem.Mol],
    smiles: Sequence[str],
    graphs: GraphBlock,
    bonds: Sequence[Sequence[tuple[int, int]]] | None = None,
) -> ItemOrder:
    """Return the order of the items of a block of rows.

    Lists of atoms follow the SMILES, or its atom-map numbers where these are 1 to n (or, written out, 0 to n - 1);
    pairs (i, j) of atoms stand at i·n + j, both numbered so. Lists of edges have two values per bond, in the order of
    RDKit's bonds, or of `bonds`: from its begin to its end atom, then back.

    Args:
        level: what is labelled.
        rows: number of rows of the block.
        kept: int64 ``[G]``, positions in the block that have a molecule.
        molecules: ``[G]``, these molecules.
        smiles: ``[G]``, their SMILES.
        graphs: their graphs.
        bonds: ``[G]``, the bonds of each as lists of edges follow them, atoms numbered from 0 as lists of atoms are.
    """
    known = np.zeros(rows, np.bool_)
    known[kept] = True
    ambiguous = np.zeros(rows, np.bool_)
    if level == "edge":
        edges = np.zeros(rows, np.int64)
        edges[kept] = np.diff(graphs.edge_ptr)
        if bonds is None:
            places = _edge_places(molecules, graphs)
        else:
            places, open_orders = _listed_places(molecules, smiles, bonds, graphs)
            ambiguous[kept] = open_orders
        return ItemOrder(NOUNS[level], level, edges, known, ambiguous, offsets(edges), places)
    atoms = np.zeros(rows, np.int64)
    atoms[kept] = np.diff(graphs.node_ptr)
    ptr = offsets(atoms)
    order = np.arange(ptr[-1]) - np.repeat(ptr[:-1], atoms)
    for position, molecule, text in zip(kept.tolist(), molecules, smiles, strict=True):
        if MAPPED.search(text):
            found = _numbered_atoms(molecule, text)
            if found is None:
                ambiguous[position] = True
            else:
                order[ptr[position] : ptr[position + 1]] = found
    counts = atoms if level == "node" else atoms**2
    return ItemOrder(NOUNS[level], level, counts, known, ambiguous, ptr, order)


def _numbered_atoms(molecule: Chem.Mol, text: str) -> NDArray[np.int64] | None:
    """Return the atoms in the order of their atom-map numbers, or None where these leave it open."""
    numbers = np.array([atom.GetAtomMapNum() for atom in molecule.GetAtoms()])
    first = 0 if ":0]" in text else 1
    if not np.array_equal(np.sort(numbers), np.arange(first, first + len(numbers))):
        return None
    return np.argsort(numbers)


def _listed_places(
    molecules: Sequence[Chem.Mol],
    smiles: Sequence[str],
    bonds: Sequence[Sequence[tuple[int, int]]],
    graphs: GraphBlock,
) -> tuple[NDArray[np.int64], list[bool]]:
    """Return, for both edges of each listed bond, the local number in the graph; and where the order is open."""
    places = np.zeros(graphs.edge_count, np.int64)
    open_orders = []
    for g, (molecule, text, pairs) in enumerate(zip(molecules, smiles, bonds, strict=True)):
        edges, n = slice(graphs.edge_ptr[g], graphs.edge_ptr[g + 1]), molecule.GetNumAtoms()
        # Ascending, for edges are sorted by target, then source.
        words = graphs.edge_target[edges].astype(np.int64) * n + graphs.edge_source[edges]
        atoms, ends = _numbered_atoms(molecule, text), np.array(pairs, np.int64).reshape(-1, 2)
        wanted = None if atoms is None or (ends >= n).any() else _words(atoms[ends], n)
        fits = wanted is not None and np.array_equal(np.sort(wanted), words)
        if wanted is not None and fits:
            places[edges] = np.searchsorted(words, wanted)
        open_orders.append(not fits)
    return places, open_orders


def _words(ends: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return a number for the edge from begin to end of each bond, and for the one back: n times target, and source."""
    begin, end = ends.T
    return np.stack([end * n + begin, begin * n + end], axis=1).reshape(-1)


def _edge_places(molecules: Sequence[Chem.Mol], graphs: GraphBlock) -> NDArray[np.int64]:
    """Return, for each bond's edge from begin to end and for the one back, its local number in the graph."""
    begin = np.array([bond.GetBeginAtomIdx() for molecule in molecules for bond in molecule.GetBonds()], np.int64)
    counts = np.diff(graphs.edge_ptr)
    local = np.arange(graphs.edge_count) - np.repeat(graphs.edge_ptr[:-1], counts)
    bond = graphs.edge_bond + np.repeat(graphs.bond_ptr[:-1], counts)
    backwards = graphs.edge_source != begin[bond]
    places = np.empty(graphs.edge_count, np.int64)
    places[2 * bond + backwards] = local
    return places
