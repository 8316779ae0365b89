"""The graph store: what preparation wrote, checked and loaded into flat arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from molfound.chem.edges import offsets
from molfound.chem.graphs import GraphBlock
from molfound.data.arrays import GraphArrays, LabelArrays
from molfound.data.build import RejectedRow, read_rejected
from molfound.data.coordinates import CoordinateArrays, coordinate_arrays
from molfound.data.families import Family
from molfound.data.index import Index, StoredFamily
from molfound.data.ragged import flat_values
from molfound.data.shards import check_size, read_checked, read_shard
from molfound.errors import MolfoundError, did_you_mean

GRAPH_COLUMNS = ("row", "atoms", "bonds", "node_codes", "bond_codes", "edges")  # what a batch is made of


@dataclass(frozen=True)
class StoreSizes:
    """The molecules of a store that are used, G of them in B blocks, without what they consist of.

    Attributes:
        rows: int64 ``[G]``, of the table, ascending.
        nodes: uint16 ``[G]``.
        bonds: uint16 ``[G]``.
        block_ptr: int64 ``[B + 1]``, block b has the molecules ``block_ptr[b]:block_ptr[b + 1]``.
    """

    rows: NDArray[np.int64]
    nodes: NDArray[np.uint16]
    bonds: NDArray[np.uint16]
    block_ptr: NDArray[np.int64]


class GraphStore:
    """The prepared molecules of one dataset.

    Args:
        folder: of the store.
        index: what it holds.
        families: those in use, by name; see `open`.
    """

    def __init__(self, folder: Path, index: Index, families: dict[str, StoredFamily]) -> None:
        self.folder, self.index, self.families = folder, index, families

    def __repr__(self) -> str:
        return f"GraphStore({self.folder}: {self.index.rows:,} rows, {', '.join(self.families)})"

    @classmethod
    def open(cls, folder: Path, expect: Iterable[Family] | None = None) -> Self:
        """Return the store in a folder, all its files in use there and of the right size.

        Args:
            folder: of the store.
            expect: the families wanted, such as a preparation reports; by default those of the latest preparation.

        Raises:
            MolfoundError: no store, one of another version or other content, a shard that is missing or cut short.
        """
        index = Index.read(folder)
        wanted = index.content if expect is None else [family.folder for family in expect]
        for name in wanted:
            if name not in index.families:
                raise MolfoundError(
                    f"{folder} was made from other content: it has no {name.rpartition('-')[0]} as asked for; "
                    "prepare the data again (molfound prepare)"
                )
        chosen = [index.families[name] for name in wanted]
        for stored in chosen:
            for shard in stored.shards:
                check_size(folder, shard.file)
        return cls(folder, index, {stored.family.name: stored for stored in chosen})

    @property
    def rows(self) -> int:
        """Number of rows of the table, rejected ones included."""
        return self.index.rows

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks whose labels are here."""
        return self._names("labels/")

    @property
    def encodings(self) -> tuple[str, ...]:
        """Names of the encodings that are here."""
        return self._names("encodings/")

    def rejected(self) -> list[RejectedRow]:
        """Return the rejected rows in order, each with the first reason found: the graph's before the labels'.

        Raises:
            MolfoundError: a damaged shard.
        """
        first: dict[int, RejectedRow] = {}
        for stored in self.families.values():
            for shard in stored.shards:
                if shard.rejected:
                    for row in read_rejected(read_checked(self.folder, shard.file)):
                        first.setdefault(row.row, row)
        return [first[row] for row in sorted(first)]

    @property
    def blocks(self) -> int:
        """Number of blocks that the rows are stored in."""
        return len(self._stored("graphs").shards)

    @property
    def stored_molecules(self) -> int:
        """Number of molecules in the shards of the graphs, those that labels or weights reject among them."""
        return sum(shard.rows for shard in self._stored("graphs").shards)

    def part(self, blocks: Iterable[int]) -> Self:
        """Return a store of these blocks alone, in ascending order."""
        chosen = sorted(set(blocks))
        families = {
            name: StoredFamily(stored.family, tuple(stored.shards[block] for block in chosen))
            for name, stored in self.families.items()
        }
        return type(self)(self.folder, self.index, families)

    def sizes(self) -> "StoreSizes":
        """Return the row and the size of every molecule that no family rejects, read block by block.

        Raises:
            MolfoundError: a damaged shard.
        """
        rows, nodes, bonds = [], [], []
        for block in range(self.blocks):
            table = self.part([block])._used_graphs(["row", "atoms", "bonds"])
            rows.append(table["row"].to_numpy())
            nodes.append(table["atoms"].to_numpy().astype(np.uint16))
            bonds.append(table["bonds"].to_numpy().astype(np.uint16))
        block_ptr = offsets(np.array([len(each) for each in rows]))
        return StoreSizes(np.concatenate(rows), np.concatenate(nodes), np.concatenate(bonds), block_ptr)

    def smiles(self) -> pa.Array:
        """Return the SMILES of every molecule that no family rejects, as the table has them.

        Raises:
            MolfoundError: a damaged shard.
        """
        return _one_array(self._used_graphs(["row", "smiles"])["smiles"])

    def load(
        self, tasks: Iterable[str] | None = None, encodings: Iterable[str] | None = None, *, smiles: bool = True
    ) -> GraphArrays:
        """Return the molecules that no family rejects, in flat arrays in memory.

        Args:
            tasks: whose labels to load; by default all.
            encodings: which encodings to load; by default all.
            smiles: whether to load their SMILES, which no batch needs.

        Raises:
            MolfoundError: a task or encoding that is not here (with the nearest), a damaged shard.
        """
        table = self._used_graphs([*GRAPH_COLUMNS, *(["smiles"] if smiles else [])])
        rows = table["row"].to_numpy()
        parts: dict[str, NDArray[np.float16]] = {}
        for name in self.encodings if encodings is None else encodings:
            parts |= self._encoding(name, rows)
        return GraphArrays(
            graphs=_graphs(table, self.families["graphs"].family),
            rows=rows,
            smiles=_one_array(table["smiles"]) if smiles else pa.array([], pa.string()),
            encodings=parts,
            labels={name: self._labels(name, rows) for name in (self.tasks if tasks is None else tasks)},
            weights=self._table("weights", rows)["weight"].to_numpy() if "weights" in self.families else None,
            coordinates=self._coordinates("coordinates", rows),
            drawings=self._coordinates("drawings", rows),
        )

    def without_coordinates(self) -> list[RejectedRow]:
        """Return the rows whose molecule has no coordinates, with the reason; none where none were asked for.

        They are read block by block.

        Raises:
            MolfoundError: a damaged shard.
        """
        if "coordinates" not in self.families:
            return []
        return [row for block in range(self.blocks) for row in self.part([block])._flat_rows()]

    def _flat_rows(self) -> list[RejectedRow]:
        table = self._table("coordinates", columns=["row", "problem", "detail"])
        flat = table.filter(table["problem"].is_valid()).to_pylist()
        if not flat:
            return []
        graphs = self._table("graphs", np.array([row["row"] for row in flat]), columns=["row", "smiles"])
        smiles = graphs["smiles"].to_pylist()
        return [
            RejectedRow(row["row"], text, row["problem"], row["detail"]) for row, text in zip(flat, smiles, strict=True)
        ]

    def scaffolds(self) -> tuple[NDArray[np.int64], list[str]]:
        """Return the rows that have a molecule, and the Murcko scaffold of each.

        Rows that labels or weights reject are among them, so that a split does not depend on the tasks in use.

        Raises:
            MolfoundError: the scaffolds were not asked for in the preparation, or a damaged shard.
        """
        table = self._table("scaffolds")
        return table["row"].to_numpy(), table["scaffold"].to_pylist()

    def _names(self, prefix: str) -> tuple[str, ...]:
        return tuple(name.removeprefix(prefix) for name in self.families if name.startswith(prefix))

    def _stored(self, name: str) -> StoredFamily:
        if name not in self.families:
            raise MolfoundError(f"{self.folder} has no {name}{did_you_mean(name, self.families)}")
        return self.families[name]

    def labels(self, task: str) -> LabelArrays:
        """Return the labels of a task, of every molecule that no family rejects.

        Raises:
            MolfoundError: no such task, with the nearest, or a damaged shard.
        """
        return self._labels(task, self._used_graphs(["row"])["row"].to_numpy())

    def _used_graphs(self, columns: Sequence[str] | None = None) -> pa.Table:
        table = self._table("graphs", columns=columns)
        dropped = np.array([row.row for row in self.rejected()], np.int64)
        keep = ~np.isin(table["row"].to_numpy(), dropped)
        return table if keep.all() else table.filter(pa.array(keep))

    def _table(
        self, name: str, rows: NDArray[np.int64] | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the rows of a family, these or all; whether they are here is a matter of our own bookkeeping."""
        shards = self._stored(name).shards
        contents = (read_checked(self.folder, shard.file) for shard in shards)
        paths = (self.folder / shard.file.name for shard in shards)
        table = pa.concat_tables(
            read_shard(content, path, columns) for content, path in zip(contents, paths, strict=True)
        )
        if rows is None or np.array_equal(table["row"].to_numpy(), rows):
            return table
        table = table.filter(pa.array(np.isin(table["row"].to_numpy(), rows)))
        if not np.array_equal(table["row"].to_numpy(), rows):
            raise ValueError(f"the shards of {name} in {self.folder} do not have the rows of its graphs")
        return table

    def _encoding(self, name: str, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float16]]:
        recipe = self._stored(f"encodings/{name}").family.recipe
        table = self._table(f"encodings/{name}", rows)
        return {part: flat_values(table[part])[0].reshape(-1, width) for part, (_, width) in recipe["parts"].items()}

    def _coordinates(self, name: str, rows: NDArray[np.int64]) -> CoordinateArrays | None:
        if name not in self.families:
            return None
        return coordinate_arrays(self._table(name, rows, columns=["row", "conformers", "coordinates"]))

    def _labels(self, name: str, rows: NDArray[np.int64]) -> LabelArrays:
        recipe = self._stored(f"labels/{name}").family.recipe
        table = self._table(f"labels/{name}", rows)
        index, counts = flat_values(table["index"])
        values, _ = flat_values(table["value"])
        return LabelArrays(recipe["level"], tuple(recipe["labels"]), offsets(counts), index, values)


def _graphs(table: pa.Table, family: Family) -> GraphBlock:
    atom_features, bond_features = len(family.recipe["atoms"]), len(family.recipe["bonds"])
    node_ptr = offsets(table["atoms"].to_numpy())
    bond_ptr = offsets(table["bonds"].to_numpy())
    return GraphBlock(
        node_ptr=node_ptr,
        edge_ptr=2 * bond_ptr,
        bond_ptr=bond_ptr,
        node_codes=flat_values(table["node_codes"])[0].reshape(int(node_ptr[-1]), atom_features),
        bond_codes=flat_values(table["bond_codes"])[0].reshape(int(bond_ptr[-1]), bond_features),
        edges=flat_values(table["edges"])[0],
    )


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
