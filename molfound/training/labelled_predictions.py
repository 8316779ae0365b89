"""Predictions beside the labels that they are to meet, kept in the run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.data.shards import partial_file
from molfound.data.table_order import table_order
from molfound.model import TaskModel
from molfound.tasks.task import Task
from molfound.tasks.task_metrics import MEMORY
from molfound.training.collected_table import CollectedTable
from molfound.training.mixture import TaskMixture

SORTED_SHARE = 4  # one part in so many of the memory is sorted and written at a time, which takes several times as much


class LabelledPredictions:
    """Collects batch by batch, for each task, a row wherever a label is: row, item, label, prediction and target.

    Predictions and targets are in original units, or probabilities and classes; `item` is the place of the atom, edge
    or pair in the list of labels of its row, from 0, and null at graph level.

    Args:
        model: whose tasks are collected.
        mixture: where the batches come from.
        memory: bytes of all tasks together that are held in memory; what is beyond goes to a temporary file.
    """

    def __init__(self, model: TaskModel, mixture: TaskMixture, *, memory: int = MEMORY) -> None:
        self.model, self.mixture, self.memory = model, mixture, memory
        self._tables: dict[str, CollectedTable] = {name: CollectedTable() for name in mixture.tasks}

    def add(self, predictions: Mapping[str, Tensor], batch: GraphBatch) -> None:
        """Add a batch, its predictions as the heads give them.

        Raises:
            MolfoundError: the bound of memory is passed and the disk is full.
        """
        batch = batch.to(torch.device("cpu"))
        for name, task in self.mixture.tasks.items():
            if name in batch.labels:
                finished = self.model.finished(name, predictions[name]).cpu()
                smiles = _smiles(self.mixture, batch, task.dataset)
                self._tables[name].add(_present(finished, batch, task, smiles))
        if sum(table.held for table in self._tables.values()) > self.memory:
            for table in self._tables.values():
                table.spill()

    def write(self, folder: Path, part: str) -> None:
        """Write ``<part>.<task>.parquet``, ascending by row, for each task of which a batch had labels.

        Raises:
            MolfoundError: the disk is full, or the folder cannot be written; nothing partial is left.
        """
        for name, table in self._tables.items():
            if table.schema is not None:
                names = pa.array(list(self.mixture.tasks[name].labels))
                schema = _named(table.schema.empty_table(), names).schema
                with (
                    partial_file(folder / f"{part}.{name}.parquet") as partial,
                    pq.ParquetWriter(partial, schema, compression="zstd") as writer,
                ):
                    for piece in table.ascending(self.memory // SORTED_SHARE):
                        writer.write_table(_named(piece, names))


def of_label(column: pa.Array, values: Mapping[str, float]) -> NDArray[np.float64]:
    """Return what belongs to the label of each row, for some rows of a file of `LabelledPredictions`.

    Args:
        column: the labels, as names or a dictionary of some, which another piece of the file may have in another order.
        values: by label.

    Example:
        >>> of_label(pa.array(["b", "a", "b"]), {"a": 0, "b": 1})
        array([1., 0., 1.])
    """
    labels = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    known = np.array([values[name] for name in labels.dictionary.to_pylist()], np.float64)
    found: NDArray[np.float64] = known[labels.indices.to_numpy()]
    return found


def _smiles(mixture: TaskMixture, batch: GraphBatch, dataset: str) -> list[str]:
    """Return the SMILES of a dataset's molecules in the batch."""
    first, last = mixture.graphs.collection.ranges[dataset]
    rows = batch.rows[slice(*batch.datasets[dataset])]
    there = torch.searchsorted(mixture.graphs.collection.rows[first:last], rows)
    smiles: list[str] = mixture.graphs.smiles[dataset].take(pa.array(there.numpy())).to_pylist()
    return smiles


def _present(prediction: Tensor, batch: GraphBatch, task: Task, smiles: Sequence[str]) -> pa.RecordBatch:
    """Return a row for each label that is there of the task's dataset, in the order of the table's lists."""
    first, last = batch.datasets[task.dataset]
    item_ptr = batch.item_ptr(task.level)[first : last + 1]
    item_ptr = item_ptr - item_ptr[0]
    counts = item_ptr.diff()
    graph = torch.repeat_interleave(torch.arange(first, last), counts)
    item = torch.arange(len(graph)) - torch.repeat_interleave(item_ptr[:-1], counts)
    order = table_order(task.level, smiles, item_ptr)
    target = batch.labels[task.name][order]
    place, label = (~target.isnan()).nonzero(as_tuple=True)
    values = prediction[order[place], label]
    return pa.record_batch(
        {
            "row": batch.rows[graph[place]].numpy(),
            "item": pa.nulls(len(place), pa.int64()) if task.level == "graph" else pa.array(item[place].numpy()),
            "label": label.numpy().astype(np.int32),
            "prediction": _lists(values) if values.ndim > 1 else values.numpy(),
            "target": target[place, label].numpy(),
        }
    )


def _lists(values: Tensor) -> pa.ListArray:
    """Return the rows of a tensor, [V, classes], as lists of float64."""
    ends = pa.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1])
    return pa.ListArray.from_arrays(ends, pa.array(values.double().numpy().ravel()))


def _named(table: pa.Table, names: pa.Array) -> pa.Table:
    """Return the table with names of labels for their numbers."""
    numbers = table.column("label").combine_chunks()
    return table.set_column(
        table.schema.get_field_index("label"), "label", pa.DictionaryArray.from_arrays(numbers, names)
    )
