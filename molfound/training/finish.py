"""What follows a training: scores of the parts held out, predictions and baselines of the test part, the report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from molfound.config.schema import Experiment
from molfound.data.batch import GraphBatch
from molfound.data.loader import BatchLoader, evaluation_batches
from molfound.data.sampler import BatchLimits
from molfound.data.shards import write_atomically
from molfound.data.table_order import table_order
from molfound.model import MolecularModel
from molfound.tasks.task import Task
from molfound.training.baselines import Forest, forest_scores, mean_scores
from molfound.training.console import EpochReporter
from molfound.training.evaluation import evaluate
from molfound.training.mixture import TaskMixture, label_pairs
from molfound.training.report import write_report
from molfound.training.run_folder import RunFolder


def finish(
    experiment: Experiment, mixture: TaskMixture, model: MolecularModel, run: RunFolder, reporter: EpochReporter
) -> None:
    """Write ``scores.json``, ``predictions/``, ``baselines.json`` if baselines are wanted, and ``report.html``."""
    limits = BatchLimits.of(experiment.data.batch)
    scores = {}
    for part in mixture.graphs.part_names:
        if part == "train":
            continue
        batches = evaluation_batches(mixture.graphs.collection, mixture.graphs.positions(part), limits)
        scores[part] = evaluate(model, batches).to_dict(mixture.tasks)
        if part == "test":
            write_predictions(model, batches, mixture, run.predictions)
    run.write_json(run.scores, scores)
    if experiment.run.baselines and "test" in scores:
        reporter.line(f"fitting the baselines ({', '.join(experiment.run.baselines)}) to the same rows")
        run.write_json(run.baselines, mixture_baselines(experiment, mixture))
    write_report(run.path)
    reporter.line(f"run folder: {run.path}; report: {run.report}")


def mixture_baselines(experiment: Experiment, mixture: TaskMixture) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return ``{task: {baseline: {metric: mean over labels}}}`` on the test part, fitted to the training part.

    The forest knows molecules and atoms: a task of edges or pairs is without it.
    """
    scores: dict[str, dict[str, dict[str, float | None]]] = {name: {} for name in mixture.tasks}
    for name, task in mixture.tasks.items():
        if "mean" in experiment.run.baselines:
            scores[name]["mean"] = mean_scores(task, *(label_pairs(mixture, task, part) for part in ("train", "test")))
        if "forest" in experiment.run.baselines and task.level in ("graph", "node"):
            train, test = (mixture.labelled(task, part) for part in ("train", "test"))
            scores[name]["forest"] = forest_scores(task, train, test, Forest(seed=experiment.seed))
    return scores


@torch.no_grad()
def write_predictions(model: MolecularModel, batches: BatchLoader, mixture: TaskMixture, folder: Path) -> None:
    """Write ``test.<task>.parquet`` for each task: row, item, label, prediction and target wherever a label is.

    Predictions and targets are in original units, or probabilities and classes; `item` is the place of the atom, edge
    or pair in the list of labels of its row, from 0, and null at graph level.
    """
    model.eval()
    device = next(model.parameters()).device
    parts: dict[str, list[pa.Table]] = {name: [] for name in mixture.tasks}
    for batch in batches:
        predictions = model.predict(batch.to(device))
        for name, task in mixture.tasks.items():
            if name in batch.labels:
                smiles = _smiles(mixture, batch, task.dataset)
                parts[name].append(_present(predictions[name].cpu(), batch, task, smiles))
    for name, tables in parts.items():
        if tables:
            sink = pa.BufferOutputStream()
            pq.write_table(pa.concat_tables(tables), sink, compression="zstd")
            write_atomically(folder / f"test.{name}.parquet", memoryview(sink.getvalue()))


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
    start, item_ptr = item_ptr[0], item_ptr - item_ptr[0]
    counts = item_ptr.diff()
    graph = torch.repeat_interleave(torch.arange(first, last), counts)
    item = torch.arange(len(graph)) - torch.repeat_interleave(item_ptr[:-1], counts)
    order = table_order(task.level, smiles, item_ptr)
    target = batch.labels[task.name][order]
    place, label = (~target.isnan()).nonzero(as_tuple=True)
    values = prediction[start + order[place], label]
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
