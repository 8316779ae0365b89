"""The molecules of the test part that a model is most wrong about, kept in the run for its report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from rdkit import Chem

from molfound.chem.graphs import LARGEST_GRAPH
from molfound.chem.parsing import parse
from molfound.data.table_order import table_order
from molfound.tasks.task import Task
from molfound.training.labelled_predictions import of_label
from molfound.training.mixture import TaskMixture

MOST = 8  # of a task
ROWS_AT_ONCE = 1 << 16
LEVELS = ("graph", "node")
WRONG = 0.5  # a probability this far off is on the wrong side


def worst_molecules(mixture: TaskMixture, predictions: Path) -> dict[str, list[dict[str, Any]]]:
    """Return, of each task at graph or node level, the `MOST` molecules with the worst predictions, the worst first.

    Of a regression the error is counted in standard deviations of the label's training values; of a binary task it is
    the distance of the probability from the class, above one half. A molecule comes once, with its worst value:
    ``{"row", "smiles", "atom", "label", "target", "prediction", "error"}``, `atom` being its place in the SMILES, None
    at graph level.

    Args:
        mixture: the run's data.
        predictions: the folder with the ``test.<task>.parquet`` of the run.
    """
    found = {}
    for name, task in mixture.tasks.items():
        path = predictions / f"test.{name}.parquet"
        if task.level in LEVELS and task.kind != "multiclass" and path.is_file():
            scale = label_scale(task, mixture)
            worst = worst_values(path, scale, least=WRONG if task.kind == "binary" else 0.0)
            found[name] = [_told(mixture, task, value) for value in worst.to_dict("records")]
    return found


def label_scale(task: Task, mixture: TaskMixture) -> dict[str, float]:
    """Return what an error of each label is divided by; 1 of a binary one, and where training values do not vary."""
    if task.kind == "binary":
        return dict.fromkeys(task.labels, 1.0)
    summary = mixture.training_labels[task.name]
    return dict(zip(task.labels, np.where(summary.varies, summary.deviation, 1.0).tolist(), strict=True))


def worst_values(path: Path, scale: Mapping[str, float], *, least: float, most: int = MOST) -> pd.DataFrame:
    """Return the worst value of each of the worst rows of a file of predictions, with its `error`, the largest first.

    The file is read piece by piece. A prediction that is no number is left out; of equal errors the first comes first.

    Args:
        path: a Parquet file with the columns row, item, label, prediction and target.
        scale: label → what its errors are divided by.
        least: errors up to this are none.
        most: rows.
    """
    found = []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False):
            # Of a table that has passed through other hands, a null is no number.
            prediction, target = (
                batch.column(name).to_numpy(zero_copy_only=False) for name in ("prediction", "target")
            )
            off = np.abs(prediction.astype(np.float64) - target.astype(np.float64))
            error = off / of_label(batch.column("label"), scale)
            error = np.where(np.isfinite(error) & (error > least), error, -np.inf)
            worst = _largest(error, batch.column("row").to_numpy(), most)
            values = batch.take(pa.array(worst)).to_pandas()
            found.append(values.assign(label=values["label"].astype(str), error=error[worst]))
    every = pd.concat(found) if found else pd.DataFrame({"error": [], "row": []})
    return every.iloc[_largest(every["error"].to_numpy(), every["row"].to_numpy(), most)]


def _largest(error: NDArray[np.float64], row: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the places of the largest error of each of the worst rows, the largest first; minus infinity is none."""
    order = np.argsort(-error, kind="stable")[: np.count_nonzero(error > -np.inf)]
    _, first = np.unique(row[order], return_index=True)
    return order[np.sort(first)[:most]]


def _told(mixture: TaskMixture, task: Task, value: Mapping[Any, Any]) -> dict[str, Any]:
    smiles = _smiles(mixture, task, int(value["row"]))
    atom = _atom(smiles, int(value["item"])) if task.level == "node" else None
    figures = {name: float(value[name]) for name in ("target", "prediction", "error")}
    return {"row": int(value["row"]), "smiles": smiles, "atom": atom, "label": value["label"], **figures}


def _smiles(mixture: TaskMixture, task: Task, row: int) -> str:
    collection = mixture.graphs.collection
    first, last = collection.ranges[task.dataset]
    place = int(torch.searchsorted(collection.rows[first:last], row))
    smiles: str = mixture.graphs.smiles[task.dataset].take(np.array([place])).to_pylist()[0]
    return smiles


def _atom(smiles: str, item: int) -> int:
    """Return the place in the SMILES of the atom at a place of a table's list."""
    molecule = parse(smiles, max_heavy_atoms=LARGEST_GRAPH)
    assert isinstance(molecule, Chem.Mol)  # it is in the store
    return int(table_order("node", [smiles], torch.tensor([0, molecule.GetNumAtoms()]))[item])
