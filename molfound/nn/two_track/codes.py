"""From the codes of a batch to the rows of the two-track transformer's tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from molfound.data.batch import GraphBatch
from molfound.errors import MolfoundError
from molfound.nn.encoder_inputs import FeatureVocabulary
from molfound.nn.padding import Padding
from molfound.nn.two_track.inputs import MASK_TOKEN, PAD_TOKEN, MoleculeTensors
from molfound.nn.two_track.pairs import DROPPED, UNREACHABLE
from molfound.nn.two_track.shortest_paths import shortest_paths

_ROWS_PER_FEATURE = 16
# Row 0 of each table is the padding's and row 1 stands for what is dropped.
_FIRST_ROW = 2
_DROPPED_ROW = 1
_NO_BOND_ROW = 2


@dataclass(frozen=True)
class _Rows:
    """The values that have a row in a table, in their order, and the place of all others."""

    values: Sequence[int | str]
    other: int


# The lists of the Open Graph Benchmark (Hu et al., arXiv 2005.00687), which the published checkpoints were trained on.
# Where those have the winding of a chiral tag, which depends on the order of the atoms, R and S stand here.
_ATOM_ROWS: Mapping[str, _Rows] = {
    "chirality": _Rows(("none", "R", "S"), 3),
    "total_degree": _Rows(range(11), 11),
    "charge": _Rows(range(-5, 6), 11),
    "hydrogens": _Rows(range(9), 9),
    "radicals": _Rows(range(5), 5),
    "hybridization": _Rows(("SP", "SP2", "SP3", "SP3D", "SP3D2"), 5),
    "aromatic": _Rows((0, 1), 0),
    "in_ring": _Rows((0, 1), 0),
}
_BOND_ROWS: Mapping[str, _Rows] = {
    "bond_type": _Rows(("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"), 4),
    "stereo": _Rows(("STEREONONE", "STEREOZ", "STEREOE"), 5),
    "conjugated": _Rows((0, 1), 0),
}
_TOKENS = _Rows(range(1, 119), MASK_TOKEN - 1)
_DEGREES = _Rows(range(11), 11)


class CodeReader(nn.Module):
    """Reads a batch as `MoleculeTensors`.

    An element outside the vocabulary, which is also how a hidden one is marked, has the mask's token.

    Args:
        atoms: the batch's atom features; needed are atomic_number, degree, chirality, total_degree, charge, hydrogens,
            radicals, hybridization, aromatic and in_ring, others are not read.
        bonds: the batch's bond features; needed are bond_type, stereo and conjugated.

    Raises:
        MolfoundError: a feature that is needed is missing.
    """

    token_of_code: Tensor
    degree_of_code: Tensor
    atom_rows: Tensor
    bond_rows: Tensor
    atom_columns: Tensor
    bond_columns: Tensor

    def __init__(self, atoms: Sequence[FeatureVocabulary], bonds: Sequence[FeatureVocabulary]) -> None:
        super().__init__()
        by_name = {feature.name: feature for feature in atoms}
        bonds_by_name = {feature.name: feature for feature in bonds}
        _require("atoms", ("atomic_number", "degree", *_ATOM_ROWS), by_name)
        _require("bonds", tuple(_BOND_ROWS), bonds_by_name)
        names, bond_names = [feature.name for feature in atoms], [feature.name for feature in bonds]
        self._token_column, self._degree_column = names.index("atomic_number"), names.index("degree")
        tables = {
            "token_of_code": 1 + _lookup(by_name["atomic_number"], _TOKENS),
            "degree_of_code": _FIRST_ROW + _lookup(by_name["degree"], _DEGREES),
            "atom_rows": torch.stack(
                [
                    _FIRST_ROW + _ROWS_PER_FEATURE * k + _lookup(by_name[name], rows)
                    for k, (name, rows) in enumerate(_ATOM_ROWS.items())
                ]
            ),
            "bond_rows": torch.stack(
                [
                    1 + _NO_BOND_ROW + _ROWS_PER_FEATURE * k + _lookup(bonds_by_name[name], rows)
                    for k, (name, rows) in enumerate(_BOND_ROWS.items())
                ]
            ),
            "atom_columns": torch.tensor([names.index(name) for name in _ATOM_ROWS]),
            "bond_columns": torch.tensor([bond_names.index(name) for name in _BOND_ROWS]),
        }
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def forward(self, batch: GraphBatch, padding: Padding) -> MoleculeTensors:
        """Return the molecules of a batch; in the padding stand tokens of 0, zeros and no bonds."""
        codes = batch.node_codes.long()
        hidden = batch.hidden_graphs
        features = self.atom_rows.gather(1, codes.index_select(1, self.atom_columns).T).T
        bond_codes = batch.bond_codes.long().index_select(1, self.bond_columns)
        bonds = self.bond_rows.gather(1, bond_codes.T).T.index_select(0, batch.edge_bond)
        adjacency = padding.pad_edges(torch.ones_like(batch.edge_bond, dtype=torch.bool), batch)
        degrees = self.degree_of_code[codes[:, self._degree_column]]
        paths = 1 + shortest_paths(adjacency, UNREACHABLE - 1)
        bond_features = padding.pad_edges(bonds, batch, _NO_BOND_ROW)
        if hidden is not None:
            nodes = hidden[batch.node_graph]
            features = features.masked_fill(nodes[:, None], _DROPPED_ROW)
            degrees = degrees.masked_fill(nodes, _DROPPED_ROW)
            paths = paths.masked_fill(hidden[:, None, None], DROPPED)
            bond_features = bond_features.masked_fill(hidden[:, None, None, None], _DROPPED_ROW)
        coordinates = batch.coordinates
        return MoleculeTensors(
            tokens=padding.pad(self.token_of_code[codes[:, self._token_column]], PAD_TOKEN),
            degrees=padding.pad(degrees),
            features=padding.pad(features),
            shortest_paths=paths,
            bond_features=bond_features,
            coordinates=None if coordinates is None else padding.pad(coordinates),
            mask=padding.mask,
        )


def _lookup(feature: FeatureVocabulary, rows: _Rows) -> Tensor:
    """Return the row of each of 256 codes; those that the feature does not have stand with the others."""
    row_of = {value: row for row, value in enumerate(rows.values)}
    found = [row_of.get(value, rows.other) for value in feature.values]
    return torch.tensor(found + [rows.other] * (256 - len(found)))


def _require(kind: str, needed: Sequence[str], given: Mapping[str, FeatureVocabulary]) -> None:
    missing = [name for name in needed if name not in given]
    if missing:
        raise MolfoundError(f"the two-track transformer reads {', '.join(missing)}: add to features.{kind}")
