"""Predictions beside the labels that they are to meet, kept in the run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.data.shards import write_atomically
from molfound.data.table_order import table_order
from molfound.model import MolecularModel
from molfound.tasks.task import Task
from molfound.training.mixture import TaskMixture


class LabelledPredictions:
    """Collects batch by batch, for each task, a row wherever a label is: row, item, label, prediction and target.

    Predictions and targets are in original units, or probabilities and classes; `item` is the place of the atom, edge
    or pair in the list of labels of its row, from 0, and null at graph level.

    Args:
        model: whose tasks are collected.
        mixture: where the batches come from.
    """

    def __init__(self, model: MolecularModel, mixture: TaskMixture) -> None:
        self.model, self.mixture = model, mixture
        self._tables: dict[str, list[pa.Table]] = {name: [] for name in mixture.tasks}

    def add(self, predictions: Mapping[str, Tensor], batch: GraphBatch) -> None:
        """Add a batch, its predictions as the heads give them."""
        batch = batch.to(torch.device("cpu"))
        for name, task in self.mixture.tasks.items():
            if name in batch.labels:
                finished = self.model.finished(name, predictions[name]).cpu()
                smiles = _smiles(self.mixture, batch, task.dataset)
                self._tables[name].append(_present(finished, batch, task, smiles))

    def write(self, folder: Path, part: str) -> None:
        """Write ``<part>.<task>.parquet``, ascending by row, for each task that has a label."""
        for name, tables in self._tables.items():
            if tables:
                sink = pa.BufferOutputStream()
                # A stable sort: the labels of a row keep their order.
                pq.write_table(pa.concat_tables(tables).sort_by("row"), sink, compression="zstd")
                write_atomically(folder / f"{part}.{name}.parquet", memoryview(sink.getvalue()))


def _smiles(mixture: TaskMixture, batch: GraphBatch, dataset: str) -> list[str]:
    """Return the SMILES of a dataset's molecules in the batch."""
    first, last = mixture.graphs.collection.ranges[dataset]
    rows = batch.rows[slice(*batch.datasets[dataset])]
    there = torch.searchsorted(mixture.graphs.collection.rows[first:last], rows)
    smiles: list[str] = mixture.graphs.smiles[dataset].take(pa.array(there.numpy())).to_pylist()
    return smiles


def _present(prediction: Tensor, batch: GraphBatch, task: Task, smiles: Sequence[str]) -> pa.Table:
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
    labels = pa.DictionaryArray.from_arrays(pa.array(label.numpy().astype(np.int32)), pa.array(list(task.labels)))
    return pa.table(
        {
            "row": batch.rows[graph[place]].numpy(),
            "item": pa.nulls(len(place), pa.int64()) if task.level == "graph" else pa.array(item[place].numpy()),
            "label": labels,
            "prediction": values.tolist() if values.ndim > 1 else values.numpy(),
            "target": target[place, label].numpy(),
        }
    )
