"""Many molecular graphs in flat arrays of integer codes."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from molfound.chem.edges import BOND, SOURCE, TARGET, Locals, directed_edges, local_numbers, offsets
from molfound.chem.features import Feature, atom_features, bond_features
from molfound.chem.molecules import MoleculeBlock
from molfound.chem.parsing import Rejection, parse_aloud, silenced_rdkit
from molfound.errors import MolfoundError

FEATURIZER_VERSION = "3"
"""Part of every store's key: to be raised when the same SMILES yields other bytes than before."""

LARGEST_GRAPH = np.iinfo(np.uint16).max
"""The number of atoms that a graph's local numbers can count; of bonds it is half as many, for each is two edges."""

# Few enough that the Python objects of their atoms and bonds stay in the processor's cache.
_MOLECULES_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class GraphStructure:
    """Who is bonded to whom: G molecules, N atoms, B bonds and E = 2 B directed edges, one molecule after the other.

    "Local" numbers count within their molecule, in the molecule's own order of atoms and bonds.

    Args:
        node_ptr: int64 [G+1], molecule g's nodes are ``node_ptr[g]:node_ptr[g+1]``.
        edge_ptr: int64 [G+1], the same for edges.
        bond_ptr: int64 [G+1], the same for bonds.
        edges: int64 [E], the local numbers of each edge in one word, as `directed_edges` makes them; they are sorted by
            target, then source, in each molecule.
    """

    node_ptr: npt.NDArray[np.int64]
    edge_ptr: npt.NDArray[np.int64]
    bond_ptr: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]

    @cached_property
    def edge_source(self) -> Locals:
        """Local number of the node an edge starts from, uint16 [E]."""
        return local_numbers(self.edges, SOURCE)

    @cached_property
    def edge_target(self) -> Locals:
        """Local number of the node an edge leads to, uint16 [E]."""
        return local_numbers(self.edges, TARGET)

    @cached_property
    def edge_bond(self) -> Locals:
        """Local number of the bond an edge belongs to, uint16 [E]."""
        return local_numbers(self.edges, BOND)

    @property
    def graph_count(self) -> int:
        """The number of molecules, G."""
        return len(self.node_ptr) - 1

    @property
    def node_count(self) -> int:
        """The number of atoms, N."""
        return int(self.node_ptr[-1])

    @property
    def edge_count(self) -> int:
        """The number of directed edges, E."""
        return len(self.edges)

    def __repr__(self) -> str:
        counts = f"graphs={self.graph_count}, nodes={self.node_count}, edges={self.edge_count}"
        return f"{type(self).__name__}({counts})"


@dataclass(frozen=True, kw_only=True, repr=False)
class GraphBlock(GraphStructure):
    """Many molecular graphs: their structure, and integer codes of what their atoms and bonds are.

    Args:
        node_codes: uint8 [N, atom features].
        bond_codes: uint8 [B, bond features].
    """

    node_codes: npt.NDArray[np.uint8]
    bond_codes: npt.NDArray[np.uint8]


def featurize(molecules: Sequence[Chem.Mol], atoms: Sequence[str], bonds: Sequence[str]) -> GraphBlock:
    """Return the graphs of sanitized molecules, atoms in the molecules' order.

    Args:
        molecules: G RDKit molecules.
        atoms: names of the atom features, in the order of the columns of `node_codes`.
        bonds: names of the bond features, in the order of the columns of `bond_codes`.

    Raises:
        MolfoundError: an unknown feature, or a molecule larger than `LARGEST_GRAPH`.

    Example:
        >>> block = featurize([Chem.MolFromSmiles("CO"), Chem.MolFromSmiles("[Na+]")], ["charge"], ["bond_type"])
        >>> block
        GraphBlock(graphs=2, nodes=3, edges=2)
        >>> block.node_codes.ravel(), block.edge_source, block.edge_target
        (array([4, 4, 5], dtype=uint8), array([1, 0], dtype=uint16), array([0, 1], dtype=uint16))
    """
    chosen_atoms = [atom_features[name] for name in atoms]
    chosen_bonds = [bond_features[name] for name in bonds]
    cut = range(0, len(molecules), _MOLECULES_AT_ONCE)
    with _paused_collector():
        pieces = [_piece(molecules[first : first + _MOLECULES_AT_ONCE], chosen_atoms, chosen_bonds) for first in cut]
    return _joined(pieces or [_piece([], chosen_atoms, chosen_bonds)])


def featurize_smiles(
    smiles: Iterable[object], atoms: Sequence[str], bonds: Sequence[str], max_heavy_atoms: int = 1000
) -> tuple[GraphBlock, npt.NDArray[np.int64], list[tuple[int, Rejection]]]:
    """Return the graphs of those SMILES that are molecules, their positions, and why the others are not.

    Args:
        smiles: SMILES, or whatever else the cells of a column hold (see `parse`).
        atoms: names of the atom features.
        bonds: names of the bond features.
        max_heavy_atoms: the largest accepted molecule.

    Returns:
        The `GraphBlock` of the accepted molecules in input order; their positions in the input, int64 [G]; and
        (position, `Rejection`) of each other input.

    Raises:
        MolfoundError: an unknown feature, or a molecule larger than `LARGEST_GRAPH`.

    Example:
        >>> block, kept, rejected = featurize_smiles(["CO", "", "C"], ["charge"], ["bond_type"])
        >>> block.graph_count, kept, rejected[0][0], rejected[0][1].reason
        (2, array([0, 2]), 1, 'empty_smiles')
    """
    molecules: list[Chem.Mol] = []
    kept: list[int] = []
    rejections: list[tuple[int, Rejection]] = []
    with silenced_rdkit(), _paused_collector():
        for position, text in enumerate(smiles):
            molecule = parse_aloud(text, max_heavy_atoms)
            if isinstance(molecule, Rejection):
                rejections.append((position, molecule))
            else:
                molecules.append(molecule)
                kept.append(position)
        block = featurize(molecules, atoms, bonds)
    return block, np.array(kept, dtype=np.int64), rejections


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Pause the search for cyclic garbage: a piece has thousands of short-lived objects, none in a cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True)
class _Piece:
    """What a few molecules contribute: counts [g], codes, and both ends of each bond by local number [b]."""

    atom_counts: npt.NDArray[np.int64]
    bond_counts: npt.NDArray[np.int64]
    node_codes: npt.NDArray[np.uint8]
    bond_codes: npt.NDArray[np.uint8]
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


def _piece(molecules: Sequence[Chem.Mol], atoms: Sequence[Feature], bonds: Sequence[Feature]) -> _Piece:
    block = MoleculeBlock(molecules)
    for molecule in molecules:
        if max(molecule.GetNumAtoms(), 2 * molecule.GetNumBonds()) > LARGEST_GRAPH:
            raise MolfoundError(
                f"a molecule has {molecule.GetNumAtoms()} atoms and {molecule.GetNumBonds()} bonds; "
                f"a graph holds at most {LARGEST_GRAPH} and {LARGEST_GRAPH // 2}: lower max_heavy_atoms"
            )
    return _Piece(
        atom_counts=np.diff(block.node_ptr),
        bond_counts=np.diff(block.bond_ptr),
        node_codes=_columns([feature(block) for feature in atoms], block.atom_count),
        bond_codes=_columns([feature(block) for feature in bonds], block.bond_count),
        begin=block.bonds(Chem.Bond.GetBeginAtomIdx),
        end=block.bonds(Chem.Bond.GetEndAtomIdx),
    )


def _columns(codes: list[npt.NDArray[np.uint8]], rows: int) -> npt.NDArray[np.uint8]:
    return np.stack(codes, axis=1) if codes else np.zeros((rows, 0), dtype=np.uint8)


def _joined(pieces: list[_Piece]) -> GraphBlock:
    node_ptr = offsets(np.concatenate([piece.atom_counts for piece in pieces]))
    bond_ptr = offsets(np.concatenate([piece.bond_counts for piece in pieces]))
    begin = np.concatenate([piece.begin for piece in pieces]).astype(np.uint16)
    end = np.concatenate([piece.end for piece in pieces]).astype(np.uint16)
    return GraphBlock(
        node_ptr=node_ptr,
        edge_ptr=2 * bond_ptr,
        bond_ptr=bond_ptr,
        node_codes=np.concatenate([piece.node_codes for piece in pieces]),
        bond_codes=np.concatenate([piece.bond_codes for piece in pieces]),
        edges=directed_edges(begin, end, node_ptr, bond_ptr),
    )
