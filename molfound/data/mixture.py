"""The datasets of an experiment, prepared, loaded and split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from molfound.config.locations import SUFFIXES
from molfound.config.schema import ColumnSplit, DatasetConfig, Experiment, TablesSplit, reads_scaffolds
from molfound.data.collection import Collection, GraphCollection
from molfound.data.families import LabelTask
from molfound.data.manifest import Manifest, load_manifest
from molfound.data.preparation_report import PreparationReport
from molfound.data.prepare import open_table, prepare_dataset
from molfound.data.residency import Residency, residency
from molfound.data.splits import Split, make_split, scaffold_groups
from molfound.data.store import GraphStore
from molfound.data.stored_smiles import StoredSmiles
from molfound.data.streaming import StreamedCollection
from molfound.data.windows import Positions
from molfound.errors import MolfoundError

GIB = 1 << 30


class MixtureTask(LabelTask, Protocol):
    """What the data room needs to know of a task: its labels, and the dataset that has them."""

    @property
    def dataset(self) -> str:
        """The dataset that has the labels."""
        ...


class Smiles(Protocol):
    """The SMILES of a dataset, an Arrow array or what reads them from a store."""

    def take(self, indices: NDArray[np.int64] | pa.Array) -> pa.Array:
        """Return those of these molecules."""
        ...


@dataclass(frozen=True)
class Mixture:
    """The molecules of several datasets.

    Attributes:
        collection: all graphs; a position numbers a molecule over all datasets.
        parts: for each dataset, the positions of each part of its split, ascending.
        smiles: for each dataset, the SMILES of its molecules in the order of their positions.
        stores: for each dataset, the store that it was loaded from.
        scaffolds: for each dataset that is sampled by scaffold, int64, the number of each molecule's scaffold in the
            order of their positions.
        windows: into how many windows an epoch of the training is divided, one where all molecules are in memory.
    """

    collection: Collection
    parts: Mapping[str, Mapping[str, Positions]]
    smiles: Mapping[str, Smiles]
    stores: Mapping[str, GraphStore] = field(default_factory=dict)
    scaffolds: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    windows: int = 1

    @property
    def block_ptr(self) -> Mapping[str, Positions]:
        """Of each dataset that is read block by block, where its blocks begin, see `Collection.block_ptr`."""
        return self.collection.block_ptr

    @property
    def part_names(self) -> list[str]:
        """The names of all parts, in the order train, val, test, others."""
        names = dict.fromkeys(name for parts in self.parts.values() for name in parts)
        return sorted(
            names, key=lambda name: ("train", "val", "test").index(name) if name in ("train", "val", "test") else 3
        )

    def positions(self, part: str, dataset: str | None = None) -> Positions:
        """Return the positions of a part, of one dataset or of all; none where a dataset lacks the part."""
        chosen = self.parts if dataset is None else {dataset: self.parts[dataset]}
        found = [parts[part] for parts in chosen.values() if part in parts]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def __str__(self) -> str:
        return ", ".join(
            f"{dataset}: " + " / ".join(f"{len(positions):,} {part}" for part, positions in parts.items())
            for dataset, parts in self.parts.items()
        )


def load_manifests(experiment: Experiment) -> dict[str, Manifest]:
    """Return the manifest of each dataset of an experiment, by the dataset's name there.

    A manifest without ``.yaml`` is the shipped one of that name.

    Raises:
        MolfoundError: no such manifest (with the nearest name), a wrong one, or two of one name for different tables,
            which would share a store.
    """
    manifests: dict[str, Manifest] = {}
    for name, dataset in experiment.data.datasets.items():
        manifest = load_manifest(dataset.manifest, by_name=not dataset.manifest.endswith(SUFFIXES))
        for other, earlier in manifests.items():
            if earlier.name == manifest.name and earlier.table != manifest.table:
                raise MolfoundError(
                    f"the manifests of the datasets '{other}' and '{name}' are both named '{manifest.name}' and have "
                    "different tables, whose stores would be one folder: give one of them another name"
                )
        manifests[name] = manifest
    return manifests


def table_columns(
    experiment: Experiment, manifests: Mapping[str, Manifest], *, progress: bool = True
) -> dict[str, list[str]]:
    """Return the columns of each dataset's table; a generated table is made if it is not there yet."""
    root, store = Path(experiment.data.root), Path(experiment.data.store)
    return {
        name: list(open_table(manifest, root, store, progress=progress).columns) for name, manifest in manifests.items()
    }


def prepare_datasets(
    experiment: Experiment, manifests: Mapping[str, Manifest], tasks: Mapping[str, MixtureTask]
) -> dict[str, PreparationReport]:
    """Prepare the store of each dataset: what is there already is kept."""
    return {name: _prepare(experiment, name, manifest, tasks) for name, manifest in manifests.items()}


def load_mixture(
    experiment: Experiment,
    manifests: Mapping[str, Manifest],
    tasks: Mapping[str, MixtureTask],
    say: Callable[[str], None] | None,
) -> Mixture:
    """Prepare, load and split the datasets of an experiment.

    Args:
        experiment: names datasets, features and encodings.
        manifests: of each dataset.
        tasks: whose labels to load.
        say: is told what was prepared, one line per dataset; None: nothing is told, the progress neither.

    Raises:
        MolfoundError: a mistake in the data or the split, or a dataset with no training molecule.
    """
    stores: dict[str, GraphStore] = {}
    for name, manifest in manifests.items():
        report = _prepare(experiment, name, manifest, tasks, progress=say is not None)
        if say is not None:
            say(str(report))
        stores[name] = GraphStore.open(report.folder, report.families)
    datasets = experiment.data.datasets
    plan = residency(stores, {name: dataset.share for name, dataset in datasets.items()}, experiment.data.memory * GIB)
    collection, smiles = _collection(stores, plan, {name: task.dataset for name, task in tasks.items()}, experiment)
    if plan.window_blocks and say is not None:
        say(f"{', '.join(plan.window_blocks)}: more than data.memory holds, read in {plan.windows} windows per epoch")
    parts: dict[str, dict[str, Positions]] = {}
    scaffolds: dict[str, NDArray[np.int64]] = {}
    for name, store in stores.items():
        first, last = collection.ranges[name]
        rows = collection.rows[first:last].numpy()
        split = _split(experiment, datasets[name], manifests[name], store)
        parts[name] = {part: first + _places(rows, wanted) for part, wanted in split.items()}
        if len(parts[name].get("train", ())) == 0:
            raise MolfoundError(f"dataset '{name}' has no molecule in its training part")
        if datasets[name].scaffolds is not None:
            scaffolds[name] = _scaffold_numbers(store, rows)
    return Mixture(collection, parts, smiles, stores, scaffolds, plan.windows)


def _collection(
    stores: Mapping[str, GraphStore], plan: Residency, tasks: Mapping[str, str], experiment: Experiment
) -> tuple[Collection, dict[str, Smiles]]:
    """Return the graphs of all stores, and the SMILES of each in the order of their positions."""
    crop = experiment.data.crop
    arrays = {name: store.load() for name, store in stores.items() if name not in plan.window_blocks}
    smiles: dict[str, Smiles] = {name: part.smiles for name, part in arrays.items()}
    if not plan.window_blocks:
        return GraphCollection(arrays, tasks, crop=crop), smiles
    streamed = {name: stores[name] for name in plan.window_blocks}
    collection = StreamedCollection(arrays, streamed, list(stores), tasks, plan.window_blocks, crop=crop)
    first_blocks = {name: starts - starts[0] for name, starts in collection.block_ptr.items()}
    return collection, smiles | {
        name: StoredSmiles(store, first_blocks[name], plan.window_blocks[name]) for name, store in streamed.items()
    }


def _prepare(
    experiment: Experiment,
    name: str,
    manifest: Manifest,
    tasks: Mapping[str, MixtureTask],
    *,
    progress: bool = True,
) -> PreparationReport:
    dataset = experiment.data.datasets[name]
    return prepare_dataset(
        manifest,
        {task_name: task for task_name, task in tasks.items() if task.dataset == name},
        experiment.features,
        experiment.encodings,
        experiment.data,
        root=Path(experiment.data.root),
        store=Path(experiment.data.store),
        scaffolds=dataset.scaffolds is not None or reads_scaffolds(manifest.split(dataset.split)),
        plugins=[Path(path) for path in experiment.plugins],
        progress=progress,
    )


def _split(experiment: Experiment, dataset: DatasetConfig, manifest: Manifest, store: GraphStore) -> Split:
    root = Path(experiment.data.root)
    spec = manifest.split(dataset.split)
    reads_table = isinstance(spec, ColumnSplit | TablesSplit)
    return make_split(
        spec,
        store.rows,
        folders=manifest.folders(root),
        table=open_table(manifest, root, Path(experiment.data.store)) if reads_table else None,
        scaffolds=store.scaffolds() if reads_scaffolds(spec) else None,
    )


def _scaffold_numbers(store: GraphStore, rows: Positions) -> NDArray[np.int64]:
    """Return the number of the scaffold of each of these rows."""
    all_rows, scaffolds = store.scaffolds()
    places = _places(all_rows, rows)
    if len(places) != len(rows):
        raise ValueError(f"{store.folder} lacks the scaffolds of {len(rows) - len(places)} molecules")
    numbers: NDArray[np.int64] = scaffold_groups(scaffolds)[0][places]
    return numbers


def _places(rows: Positions, wanted: Positions) -> Positions:
    """Return where the wanted rows stand among the rows that are there; the rejected ones are nowhere."""
    places = np.searchsorted(rows, wanted)
    inside = places < len(rows)
    places, wanted = places[inside], wanted[inside]
    found: Positions = places[rows[places] == wanted]
    return found
