"""What a suite would do: of each cell its model's size, its molecules, its state, and what stands in its way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from molfound.benchmark.cells import Cell
from molfound.benchmark.suite import LoadedSuite
from molfound.config.schema import FROZEN_BASELINES, Experiment, FoldSplit, RandomSplit, ScaffoldSplit
from molfound.data.manifest import Manifest
from molfound.data.mixture import load_manifests, table_columns
from molfound.data.prepare import open_table
from molfound.data.splits import make_split
from molfound.errors import MolfoundError
from molfound.model import count_parameters, specify
from molfound.plugins import load_plugins
from molfound.tasks.resolve import resolve_tasks
from molfound.training.pretrained import check_pretrained

NEEDED_PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class PlannedCell:
    """A cell before it is trained.

    Attributes:
        cell: the cell.
        parameters: of its model; None for a baseline, or where there is a problem.
        rows: rows of the table, those that will be rejected included, in each part of the split.
        problem: why it cannot be trained, in one line.
    """

    cell: Cell
    parameters: int | None
    rows: Mapping[str, int]
    problem: str | None


def plan(loaded: LoadedSuite, cells: Sequence[Cell]) -> list[PlannedCell]:
    """Return what there is to know of cells without training, each thing found out once for all cells that share it."""
    sizes: dict[tuple[str, str], dict[str, int] | MolfoundError] = {}
    counts: dict[tuple[str, str], int | MolfoundError] = {}
    planned = []
    for cell in cells:
        rows: dict[str, int] = dict.fromkeys(NEEDED_PARTS, 0)
        problem: MolfoundError | None = None
        for dataset in cell.datasets:
            place = (dataset, cell.split)
            if place not in sizes:
                sizes[place] = _part_rows(dataset, loaded.manifests[dataset], cell)
            found = sizes[place]
            if isinstance(found, MolfoundError):
                problem = problem or found
            else:
                rows = {part: rows.get(part, 0) + found.get(part, 0) for part in rows | found}
        parameters = None
        if problem is None and (not cell.baseline or cell.model in FROZEN_BASELINES):
            if (cell.mixture, cell.model) not in counts:
                counts[cell.mixture, cell.model] = _parameters(cell.experiment)
            size = counts[cell.mixture, cell.model]
            problem, parameters = (size, None) if isinstance(size, MolfoundError) else (None, size)
        parameters = None if cell.baseline else parameters
        planned.append(PlannedCell(cell, parameters, rows, str(problem) if problem else None))
    return planned


def check_possible(planned: Sequence[PlannedCell]) -> None:
    """Refuse to begin where a cell is known to fail.

    Raises:
        MolfoundError: the first problem, and in how many cells there is one.
    """
    hindered = [entry for entry in planned if entry.problem is not None]
    if hindered:
        rest = f"; {len(hindered)} of {len(planned)} cells cannot be trained, --only PATTERN chooses others"
        raise MolfoundError(f"{hindered[0].problem}{rest if len(hindered) < len(planned) else ''}")


def _part_rows(dataset: str, manifest: Manifest, cell: Cell) -> dict[str, int] | MolfoundError:
    data = cell.experiment.data
    root = Path(data.root)
    spec = manifest.split(cell.split)
    try:
        table = open_table(manifest, root, Path(data.store))
        if isinstance(spec, ScaffoldSplit):  # its parts come as near to the shares as scaffolds allow
            spec = RandomSplit(kind="random", fractions=spec.fractions, seed=spec.seed)
        if isinstance(spec, FoldSplit):
            spec = spec.model_copy(update={"scaffolds": False})
        split = make_split(spec, sum(table.rows_of_files()), folders=manifest.folders(root), table=table)
        empty = [part for part in NEEDED_PARTS if len(split.get(part, ())) == 0]
        if empty:
            raise MolfoundError(
                f"split '{cell.split}' has an empty part '{empty[0]}'; a benchmark needs train, val, test"
            )
    except MolfoundError as error:
        return MolfoundError(f"dataset '{dataset}': {error}")
    return {part: len(rows) for part, rows in split.items()}


def _parameters(experiment: Experiment) -> int | MolfoundError:
    """Return the size of an experiment's model, or why it cannot be trained or start from its pretrained run."""
    try:
        load_plugins(Path(path) for path in experiment.plugins)
        manifests = load_manifests(experiment)
        tasks = resolve_tasks(experiment, manifests, table_columns(experiment, manifests))
        check_pretrained(experiment)
        return count_parameters(specify(experiment, tasks))["total"]
    except MolfoundError as error:
        return error
