"""The building of shards from a block of rows: what a preparing process does. No torch here, nor in what it imports."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rdkit import Chem
from threadpoolctl import threadpool_limits

from molfound.chem.graphs import GraphBlock, featurize_smiles
from molfound.chem.parsing import Rejection, parse_aloud, silenced_rdkit, without_map_numbers
from molfound.chem.scaffolds import murcko_scaffold
from molfound.chem.sdf import molfile_bonds
from molfound.data.cells import Problem, read_numbers
from molfound.data.coordinates import block_conformers, coordinates_table
from molfound.data.families import Family
from molfound.data.item_order import item_order
from molfound.data.label_shards import Details, graph_labels, item_labels, labels_table
from molfound.data.ragged import list_column
from molfound.data.shards import FileRecord, checksum, record_of, shard_bytes, shard_schema, write_atomically
from molfound.encodings import compute_encoding

REJECTED = "rejected"  # key of a shard's metadata: its rejected rows as JSON


@dataclass(frozen=True)
class RejectedRow:
    """A row of the table that is not used: its number, its SMILES as given, why, and what is known beyond it."""

    row: int
    input: str
    reason: str
    detail: str


@dataclass(frozen=True)
class ShardRecord:
    """A finished shard.

    Attributes:
        file: the file.
        rows: rows it holds.
        rejected: rows of its block that the family rejects.
    """

    file: FileRecord
    rows: int
    rejected: int

    @property
    def stem(self) -> str:
        """The file's name without its checksum: what it was made from."""
        return self.file.name.rpartition("-")[0]


@dataclass(frozen=True)
class Job:
    """Shards to build from one block.

    Attributes:
        folder: the store.
        first_row: number of the block's first row in the table.
        smiles: column of the SMILES.
        max_heavy_atoms: the largest accepted molecule.
        block: the columns that the shards need, as an Arrow stream of one record batch.
        shards: each shard's family, and its name up to the checksum.
        unread: why a row has no SMILES, if that is not for its cell being empty.
    """

    folder: Path
    first_row: int
    smiles: str
    max_heavy_atoms: int
    block: bytes
    shards: Sequence[tuple[Family, str]]
    unread: Rejection | None = None


@dataclass(frozen=True)
class Shard:
    """The content of a shard: its table, and the rows it rejects."""

    table: pa.Table
    rejected: Sequence[RejectedRow] = ()


def build_shards(job: Job) -> list[ShardRecord]:
    """Build and write the shards of a job, and return their records.

    Raises:
        MolfoundError: the disk is full.
    """
    # One thread, so that linear algebra gives the same bits whatever the number of cores, and processes do not compete.
    with threadpool_limits(1), silenced_rdkit():
        columns = pa.ipc.open_stream(job.block, options=pa.ipc.IpcReadOptions(use_threads=False)).read_all()
        block = Block(columns, job)
        return [_write(job.folder, stem, family, block) for family, stem in job.shards]


class Block:
    """A block of rows, parsed and featurized once for all the families that need it."""

    def __init__(self, table: pa.Table, job: Job) -> None:
        self.columns: dict[str, pa.Array] = {name: table[name].chunk(0) for name in table.column_names}
        self.smiles: list[str | None] = self.columns[job.smiles].to_pylist()
        self.rows = np.arange(job.first_row, job.first_row + table.num_rows)
        self._job = job

    def rejected(self, details: Details) -> list[RejectedRow]:
        """Return the rejected rows, given the reason and detail by position in the block."""
        return [
            RejectedRow(int(self.rows[position]), self.smiles[position] or "", *details[position])
            for position in sorted(details)
        ]

    @cached_property
    def featurized(self) -> tuple[GraphBlock, NDArray[np.int64], list[tuple[int, Rejection]]]:
        """The graphs, with codes if this job stores them; the positions they are of; why the others have none."""
        recipes = [family.recipe for family, _ in self._job.shards if family.name == "graphs"]
        atoms, bonds = (
            [vocabulary["name"] for recipe in recipes for vocabulary in recipe[kind]] for kind in ("atoms", "bonds")
        )
        texts = (self._job.unread if text is None else text for text in self.smiles)
        return featurize_smiles(texts, atoms, bonds, self._job.max_heavy_atoms)

    @property
    def graphs(self) -> GraphBlock:
        """The graphs of the molecules."""
        return self.featurized[0]

    @property
    def kept(self) -> NDArray[np.int64]:
        """The positions that have a molecule."""
        return self.featurized[1]

    @cached_property
    def molecules(self) -> list[Chem.Mol]:
        """The molecules: parsed again, for few families need them and all at once they are much memory."""
        parsed = (parse_aloud(self.smiles[position], self._job.max_heavy_atoms) for position in self.kept.tolist())
        return [molecule for molecule in parsed if not isinstance(molecule, Rejection)]


def _graphs(family: Family, block: Block) -> Shard:
    graphs, kept, rejections = block.featurized
    problems: Details = {position: (rejection.reason, rejection.detail) for position, rejection in rejections}
    table = pa.table(
        {
            "row": block.rows[kept],
            "smiles": block.columns[family.columns[0]].take(pa.array(kept)),
            "node_codes": list_column(graphs.node_codes, graphs.node_ptr),
            "bond_codes": list_column(graphs.bond_codes, graphs.bond_ptr),
            "edges": list_column(graphs.edges, graphs.edge_ptr),
            "atoms": np.diff(graphs.node_ptr).astype(np.int32),
            "bonds": np.diff(graphs.bond_ptr).astype(np.int32),
        }
    )
    return Shard(table, block.rejected(problems))


def _encoding(family: Family, block: Block) -> Shard:
    recipe, graphs = family.recipe, block.graphs
    parts = compute_encoding(recipe["encoding"], graphs, recipe["options"])
    one_each = np.arange(graphs.graph_count + 1)
    columns = {
        part: list_column(parts[part], graphs.node_ptr if level == "node" else one_each)
        for part, (level, _) in recipe["parts"].items()
    }
    return Shard(pa.table({"row": block.rows[block.kept], **columns}))


def _labels(family: Family, block: Block) -> Shard:
    recipe = family.recipe
    columns = {name: block.columns[name] for name in recipe["labels"]}
    if recipe["level"] == "graph":
        pairs = graph_labels(columns, recipe["kind"], recipe["classes"])
    else:
        smiles = [block.smiles[position] or "" for position in block.kept.tolist()]
        bonds = _bonds(block, recipe["bonds"]) if "bonds" in recipe else None
        order = item_order(recipe["level"], len(block.rows), block.kept, block.molecules, smiles, block.graphs, bonds)
        pairs = item_labels(columns, recipe["kind"], recipe["classes"], order)
    kept = np.ones(len(block.rows), np.bool_)
    kept[list(pairs.problems)] = False
    return Shard(labels_table(block.rows, kept, pairs), block.rejected(pairs.problems))


def _bonds(block: Block, molfiles: str) -> list[list[tuple[int, int]]]:
    """Return the bonds of the molecules in the order of their Molfiles, the column of this name."""
    return [molfile_bonds(molfile) for molfile in block.columns[molfiles].take(pa.array(block.kept)).to_pylist()]


def _weights(family: Family, block: Block) -> Shard:
    column = family.columns[1]
    numbers = read_numbers(block.columns[column])
    found = {
        position: Problem(problem.reason.replace("label", "weight"), problem.text)
        for position, problem in numbers.problems.items()
    }
    for position in np.flatnonzero(np.isnan(numbers.values)).tolist():
        found.setdefault(position, Problem("weight_missing", ""))
    for position in np.flatnonzero(numbers.values < 0).tolist():
        found[position] = Problem("weight_negative", f"{numbers.values[position]:g}")
    kept = np.ones(len(block.rows), np.bool_)
    kept[list(found)] = False
    table = pa.table({"row": block.rows[kept], "weight": numbers.values[kept]})
    details = {
        position: (problem.reason, f"column '{column}': '{problem.text}'") for position, problem in found.items()
    }
    return Shard(table, block.rejected(details))


def _scaffolds(family: Family, block: Block) -> Shard:
    scaffolds = [murcko_scaffold(without_map_numbers(molecule)) for molecule in block.molecules]
    return Shard(pa.table({"row": block.rows[block.kept], "scaffold": pa.array(scaffolds, pa.string())}))


def _coordinates(family: Family, block: Block) -> Shard:
    kept = pa.array(block.kept)
    smiles = block.columns[family.columns[0]].take(kept).to_pylist()
    cells = [block.columns[name].take(kept).to_pylist() for name in family.columns[1:]]
    molecules = [] if family.recipe["source"] in ("generated", "drawn") else block.molecules
    found = block_conformers(family.recipe, smiles, molecules, cells, family.recipe["max_heavy_atoms"])
    return Shard(coordinates_table(block.rows[block.kept], found))


BUILDERS: dict[str, Callable[[Family, Block], Shard]] = {
    "graphs": _graphs,
    "encodings": _encoding,
    "labels": _labels,
    "weights": _weights,
    "scaffolds": _scaffolds,
    "coordinates": _coordinates,
    "drawings": _coordinates,
}


def shard_name(stem: str, content: bytes | memoryview) -> str:
    """Return the name of a shard: it ends with its checksum, so that a shard without a record can be trusted."""
    return f"{stem}-{checksum(content)}.arrow"


def _write(folder: Path, stem: str, family: Family, block: Block) -> ShardRecord:
    shard = BUILDERS[family.name.partition("/")[0]](family, block)
    rejected = json.dumps([list(asdict(row).values()) for row in shard.rejected], ensure_ascii=False)
    content = shard_bytes(shard.table, {REJECTED: rejected})
    name = shard_name(stem, content)
    write_atomically(folder / name, content)
    return ShardRecord(record_of(name, content), shard.table.num_rows, len(shard.rejected))


def read_rejected(content: bytes) -> list[RejectedRow]:
    """Return the rejected rows that a shard tells of."""
    return [RejectedRow(*row) for row in json.loads(shard_schema(content).metadata[REJECTED.encode()])]
