"""What follows a training: scores and predictions of the parts held out, baselines on the same rows, the report."""

from collections.abc import Mapping
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
from molfound.model import MolecularModel
from molfound.tasks.task import Task
from molfound.training.baselines import baseline_scores
from molfound.training.console import EpochReporter
from molfound.training.evaluation import evaluate
from molfound.training.mixture import TaskMixture
from molfound.training.report import write_report
from molfound.training.run_folder import RunFolder


def finish(
    experiment: Experiment, mixture: TaskMixture, model: MolecularModel, run: RunFolder, reporter: EpochReporter
) -> None:
    """Write ``scores.json``, ``predictions/``, ``baselines.json`` if baselines are wanted, and ``report.html``."""
    limits = BatchLimits(experiment.data.batch.size, experiment.data.batch.nodes, experiment.data.batch.edges)
    scores = {}
    for part in mixture.graphs.part_names:
        if part == "train":
            continue
        batches = evaluation_batches(mixture.graphs.collection, mixture.graphs.positions(part), limits)
        scores[part] = evaluate(model, batches).to_dict(mixture.tasks)
        if part == "test":
            write_predictions(model, batches, mixture.tasks, run.predictions)
    run.write_json(run.scores, scores)
    if experiment.run.baselines and "test" in scores:
        reporter.line(f"fitting the baselines ({', '.join(experiment.run.baselines)}) to the same rows")
        run.write_json(run.baselines, mixture_baselines(experiment, mixture))
    write_report(run.path)
    reporter.line(f"run folder: {run.path}; report: {run.report}")


def mixture_baselines(experiment: Experiment, mixture: TaskMixture) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return ``{task: {baseline: {metric: mean over labels}}}`` on the test part, fitted to the training part."""
    return {
        name: baseline_scores(
            task,
            train=mixture.labelled(task, "train"),
            test=mixture.labelled(task, "test"),
            baselines=experiment.run.baselines,
            seed=experiment.seed,
        )
        for name, task in mixture.tasks.items()
    }


@torch.no_grad()
def write_predictions(model: MolecularModel, batches: BatchLoader, tasks: Mapping[str, Task], folder: Path) -> None:
    """Write ``test.<task>.parquet`` for each task: row, item, label, prediction and target wherever a label is.

    Predictions and targets are in original units, or probabilities and classes; `item` numbers the atom, edge or pair
    within its molecule and is null at graph level.
    """
    model.eval()
    device = next(model.parameters()).device
    parts: dict[str, list[pa.Table]] = {name: [] for name in tasks}
    for batch in batches:
        moved = batch.to(device)
        predictions = model.predict(moved)
        for name, task in tasks.items():
            if name in batch.labels:
                own = _rows_of_dataset(predictions[name].cpu(), batch, task)
                parts[name].append(_present(own, batch, task))
    folder.mkdir(parents=True, exist_ok=True)
    for name, tables in parts.items():
        if tables:
            pq.write_table(pa.concat_tables(tables), folder / f"test.{name}.parquet", compression="zstd")


def _rows_of_dataset(prediction: Tensor, batch: GraphBatch, task: Task) -> Tensor:
    first, last = batch.datasets[task.dataset]
    starts = item_starts(batch, task.level)
    return prediction[starts[first] : starts[last]]


def item_starts(batch: GraphBatch, level: str) -> Tensor:
    """Return int64 ``[G + 1]``: where each graph's rows (graphs, nodes, edges or pairs) begin."""
    match level:
        case "graph":
            return torch.arange(batch.num_graphs + 1)
        case "node":
            return batch.node_ptr
        case "edge":
            return batch.edge_ptr
        case _:
            pairs = batch.node_ptr.diff() ** 2
            return torch.cat((pairs.new_zeros(1), pairs.cumsum(0)))


def _present(prediction: Tensor, batch: GraphBatch, task: Task) -> pa.Table:
    first, last = batch.datasets[task.dataset]
    starts = item_starts(batch, task.level)[first : last + 1]
    counts = starts.diff()
    graph = torch.repeat_interleave(torch.arange(first, last), counts)
    item = torch.arange(len(graph)) - torch.repeat_interleave(starts[:-1] - starts[0], counts)
    target = batch.labels[task.name]
    place, label = (~target.isnan()).nonzero(as_tuple=True)
    values = prediction[place, label]
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
