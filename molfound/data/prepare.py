"""Preparation: from a dataset's table to its graph store, in parallel, resumable, the same bytes whatever happened."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from molfound.chem.sdf import UNREADABLE
from molfound.config.schema import DataConfig, FeaturesConfig
from molfound.data import embedded, lookalike  # noqa: F401 (they register their generators)
from molfound.data.build import Job, RejectedRow, ShardRecord
from molfound.data.column_checks import check_columns
from molfound.data.coordinate_source import coordinate_source
from molfound.data.families import Family, LabelTask, column_digest, requested_families
from molfound.data.generators import generated_table
from molfound.data.index import INDEX, Index, StoredFamily, UnreadableIndexError
from molfound.data.manifest import Manifest, locate_files
from molfound.data.memory import release_free_memory
from molfound.data.preparation_report import PreparationReport
from molfound.data.present import present_shards, remove_others, whole_shard
from molfound.data.progress import MoleculeProgress
from molfound.data.row_lists import FLAT_FILE, REJECTED_FILE, listed, reason_counts, write_lists
from molfound.data.shards import held, remove_partials, writing_to
from molfound.data.store import GraphStore
from molfound.data.table_files import MAPPED_SMILES, MOLFILE, SMILES
from molfound.data.tables import Table, expand_columns
from molfound.data.workers import Builders, shard_builders
from molfound.errors import MolfoundError

LOCK = ".lock"


def prepare_dataset(
    manifest: Manifest,
    tasks: Mapping[str, LabelTask],
    features: FeaturesConfig,
    encodings: Mapping[str, Mapping[str, Any]],
    data: DataConfig,
    *,
    root: Path,
    store: Path,
    scaffolds: bool = False,
    plugins: Sequence[Path] = (),
    progress: bool = True,
) -> PreparationReport:
    """Make sure that a dataset's store holds all this, and say what was done.

    Shards that are there, whole, and made from the present rows and settings are kept; all others are built. Two
    processes that prepare one store do not meet: one builds, the other waits. A store that may only be read is used as
    it is, if it has all that is asked for.

    Args:
        manifest: the dataset.
        tasks: whose labels to store, by name; label wildcards are expanded here.
        features: the atom and bond features.
        encodings: options of each encoding, by name.
        data: rows per shard, what builds them, limits.
        root: folder of the data files.
        store: folder of all stores; this one is in its folder ``<dataset>``.
        scaffolds: whether to store Murcko scaffolds, for a scaffold split.
        plugins: files whose features and encodings the processes need.
        progress: whether to show how far it has come, on standard error.

    Raises:
        MolfoundError: anything the user can mend: a missing file or column, a full disk, too many rejected rows, a
            store that lacks something and may only be read.
    """
    folder = store / manifest.name
    with _held(folder, progress) as writable:
        if writable:
            remove_partials(folder)
        table = _table(manifest, root, folder)
        labels = {name: expand_columns(task.labels, table.columns) for name, task in tasks.items()}
        check_columns(manifest, tasks, labels, table)
        families = requested_families(
            manifest,
            labels,
            tasks,
            features,
            encodings,
            max_heavy_atoms=data.max_heavy_atoms,
            block_rows=data.block_rows,
            scaffolds=scaffolds,
            coordinates=None if data.conformers is None else coordinate_source(manifest, data.conformers, table),
            drawings=data.conformers is not None and data.conformers.drawn > 0,
            molfiles=MOLFILE if table.is_sdf and manifest.smiles == MAPPED_SMILES else None,
        )
        return _Preparation(manifest, table, families, data, folder, writable, plugins, progress).run()


def open_table(manifest: Manifest, root: Path, store: Path, *, progress: bool = True) -> Table:
    """Return a dataset's table; a generated one is made if it is not there yet, by one process while others wait.

    Args:
        manifest: the dataset.
        root: folder of the data files.
        store: folder of all stores; a generated table is in the dataset's.
        progress: whether to say, on standard error, that another process makes it or prepares the dataset.

    Raises:
        MolfoundError: a file that is missing or no table, an unknown generator.
    """
    folder = store / manifest.name
    with nullcontext() if manifest.generator is None else _held(folder, progress):
        return _table(manifest, root, folder)


def _table(manifest: Manifest, root: Path, folder: Path) -> Table:
    """Return a dataset's table; who generates it holds the store's folder."""
    if manifest.generator is not None:
        return Table([generated_table(manifest.generator, folder / "source")])
    return Table(locate_files(manifest, root))


class _Preparation:
    """One preparation under way, and what it needs at every step."""

    def __init__(
        self,
        manifest: Manifest,
        table: Table,
        families: tuple[Family, ...],
        data: DataConfig,
        folder: Path,
        writable: bool,
        plugins: Sequence[Path],
        progress: bool,
    ) -> None:
        self.manifest, self.table, self.families, self.data = manifest, table, families, data
        self.folder, self.writable, self.plugins, self.progress = folder, writable, plugins, progress
        self.previous = _previous_index(folder, self._say)
        self.records = self.previous.records() if self.previous else {}
        # Families of earlier preparations stay while their shards are those of the present rows.
        wanted = {family.folder for family in families}
        earlier = self.previous.all_families() if self.previous else []
        self.others = [
            family for family in earlier if family.folder not in wanted and set(family.columns) <= set(table.columns)
        ]
        self.present = {path.relative_to(folder).as_posix().rpartition("-")[0]: path for path in present_shards(folder)}
        self.stems: dict[str, list[str]] = {family.folder: [] for family in (*families, *self.others)}
        self.finished: dict[str, ShardRecord] = {}
        self.built = 0

    def run(self) -> PreparationReport:
        """Build what is missing, then write the rejected rows and the index, then remove what nothing refers to."""
        about_rows, data = self.table.about_rows(), self.data
        columns = list(dict.fromkeys(name for family in (*self.families, *self.others) for name in family.columns))
        rows = 0
        builders: Builders | None = None
        with (
            MoleculeProgress(f"preparing {self.manifest.name}", about_rows, self.progress) as bar,
            ExitStack() as opened,
        ):
            for block in self.table.blocks(columns, data.block_rows):
                missing = self._missing_shards(block, bar.say)
                if missing:
                    self._check_writable(missing[0][0])
                    if builders is None:
                        blocks = -(-about_rows // data.block_rows)
                        builders = opened.enter_context(
                            shard_builders(data.engine, data.processes, blocks, self.plugins)
                        )
                    builders.add(self._job(rows, block, missing), partial(self._take, bar, block.num_rows))
                else:
                    bar.advance(block.num_rows, computed=False)
                rows += block.num_rows
                del block  # before the next one is read: of a wide table it takes a hundred megabytes
            if builders is not None:
                builders.finish()
        release_free_memory()
        return self._concluded(rows)

    def _check_writable(self, missing: Family) -> None:
        if not self.writable:
            raise MolfoundError(
                f"{self.folder} may only be read, and lacks {missing.name} as it is asked for: prepare it where it may "
                "be written, or choose another folder with data.store"
            )

    def _missing_shards(self, block: pa.Table, say: Callable[[str], None]) -> list[tuple[Family, str]]:
        """Return the shards to build for the next block, and take those that are there."""
        number = len(self.stems[self.families[0].folder])
        digests = {name: column_digest(block[name]) for name in block.column_names}
        for family in (*self.families, *self.others):
            self.stems[family.folder].append(family.shard_stem(number, digests))
        missing = []
        for family in self.families:
            stem = self.stems[family.folder][-1]
            path = self.present.get(stem)
            record = None if path is None else whole_shard(self.folder, path, self.records.get(stem), say)
            if record is None:
                missing.append((family, stem))
            else:
                self.finished[stem] = record
        return missing

    def _job(self, first_row: int, block: pa.Table, shards: list[tuple[Family, str]]) -> Job:
        columns = list(dict.fromkeys(column for family, _ in shards for column in family.columns))
        sink = pa.BufferOutputStream()
        # Thousands of mostly empty label columns are fifty times smaller so, and several jobs are in memory at once.
        options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        with pa.ipc.new_stream(sink, block.select(columns).schema, options=options) as writer:
            writer.write_table(block.select(columns).combine_chunks())
        content = sink.getvalue().to_pybytes()
        smiles = self.manifest.smiles
        unread = UNREADABLE if self.table.is_sdf and smiles in (SMILES, MAPPED_SMILES) else None
        return Job(self.folder, first_row, smiles, self.data.max_heavy_atoms, content, shards, unread)

    def _take(self, bar: MoleculeProgress, molecules: int, records: list[ShardRecord]) -> None:
        self.finished |= {record.stem: record for record in records}
        self.built += len(records)
        bar.advance(molecules, computed=True)

    def _concluded(self, rows: int) -> PreparationReport:
        families = {family.folder: self._stored(family, self.finished) for family in self.families}
        index = Index(self.manifest.name, rows, self.data.block_rows, tuple(families), families)
        store = GraphStore(self.folder, index, {stored.family.name: stored for stored in families.values()})
        rejected, flat = store.rejected(), store.without_coordinates()
        reasons = reason_counts(rejected)
        if self.writable:
            with_coordinates = self.data.conformers is not None
            write_lists(self.folder, self.manifest.name, rejected, flat if with_coordinates else None)
        if len(rejected) > self.data.max_rejected * rows:
            first = rejected[0]
            detail = f", {first.detail}" if first.detail else ""
            raise MolfoundError(
                f"dataset '{self.manifest.name}': {len(rejected):,} of {rows:,} rows are rejected, more than "
                f"data.max_rejected = {self.data.max_rejected:g} allows: {listed(reasons)}; the first is row "
                f"{first.row} ('{first.input[:40]}'{detail}); see {self.folder / REJECTED_FILE}"
            )
        self._check_coordinates(store.stored_molecules, flat)
        if self.writable:
            self._write_index(index)
        else:
            self._check_index(index)
        built, reused = self.built, len(self.finished) - self.built
        return PreparationReport(
            self.manifest.name, self.folder, self.families, rows, reasons, built, reused, reason_counts(flat)
        )

    def _check_coordinates(self, molecules: int, flat: Sequence[RejectedRow]) -> None:
        """Refuse a dataset that should bring coordinates along of which no molecule has any."""
        conformers = self.data.conformers
        if conformers is None or conformers.source != "given" or not flat or len(flat) < molecules:
            return
        first = flat[0]
        detail = f": {first.detail}" if first.detail else ""
        raise MolfoundError(
            f"dataset '{self.manifest.name}': data.conformers.source is given, and none of {molecules:,} molecules has "
            f"coordinates; the first is row {first.row} ('{first.input[:40]}', {first.reason}{detail}); text is read "
            "as Molfiles, or where the manifest names coordinates.atomic_numbers as JSON lists; see "
            f"{self.folder / FLAT_FILE}"
        )

    def _write_index(self, index: Index) -> None:
        here = {
            family.folder: [stem for stem in self.stems[family.folder] if stem in self.present]
            for family in self.others
        }
        kept = {
            family.folder: self._stored(family, self.records)
            for family in self.others
            if here[family.folder] == self.stems[family.folder] and self.records.keys() >= set(here[family.folder])
        }
        # Of earlier families under some of whose blocks rows have changed, the other blocks are not made again.
        incomplete = [family for family in self.others if family.folder not in kept and here[family.folder]]
        families = {**index.families, **kept}
        replace(index, families=families, incomplete=tuple(incomplete)).write(self.folder)
        used = {shard.file.name for stored in families.values() for shard in stored.shards}
        for family in incomplete:
            used |= {self.present[stem].relative_to(self.folder).as_posix() for stem in here[family.folder]}
        remove_others(self.folder, used)

    def _check_index(self, index: Index) -> None:
        """Refuse an index that does not list what is there, for it cannot be written anew."""
        known = self.previous.families if self.previous else {}
        for name, stored in index.families.items():
            if name not in known or known[name].shards != stored.shards:
                self._check_writable(stored.family)

    def _stored(self, family: Family, records: Mapping[str, ShardRecord]) -> StoredFamily:
        return StoredFamily(family, tuple(records[stem] for stem in self.stems[family.folder]))

    def _say(self, line: str) -> None:
        MoleculeProgress("", 0, self.progress).say(line)


@contextmanager
def _held(folder: Path, progress: bool) -> Iterator[bool]:
    """Hold the store's folder and yield whether it may be written; one that may not is not held.

    If another process holds it, say so and wait.
    """
    if os.access(folder, os.R_OK) and not os.access(folder, os.W_OK):
        yield False
        return
    say = MoleculeProgress("", 0, progress).say
    with (
        writing_to(folder),
        held(folder / LOCK, lambda: say(f"another process prepares {folder}; waiting for it")),
    ):
        yield True


def _previous_index(folder: Path, say: Callable[[str], None]) -> Index | None:
    if not (folder / INDEX).is_file():
        return None
    try:
        return Index.read(folder)
    except UnreadableIndexError as error:
        say(f"{str(error).partition(';')[0]}: it is prepared anew")
        return None
