"""k-fold cross-validation: a run for each fold, scored on the molecules of the fold, which it has not learned from."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from molfound.config.schema import Experiment, FoldSplit
from molfound.data.shards import partial_file
from molfound.errors import MolfoundError
from molfound.model import load_model
from molfound.tasks.calibration import Calibration
from molfound.tasks.normalization import Normalizer
from molfound.tasks.task import Task
from molfound.tasks.task_metrics import TaskMetrics
from molfound.training.baselines import LabelPairs, collected_predictions
from molfound.training.calibrating import intervals_of
from molfound.training.mixture import TaskMixture
from molfound.training.report import write_report
from molfound.training.run_folder import RunFolder
from molfound.training.worst_molecules import worst_molecules

Figures = Mapping[str, float | None]


def fold_experiments(experiment: Experiment) -> list[Experiment]:
    """Return an experiment for each fold, in which that fold is the test part.

    Args:
        experiment: whose datasets, some or all, have a split of kind ``folds``.

    Raises:
        MolfoundError: none has, or they have different numbers of folds.
    """
    folds = {name: data.split for name, data in experiment.data.datasets.items() if isinstance(data.split, FoldSplit)}
    counts = {split.folds for split in folds.values()}
    if len(counts) != 1:
        raise MolfoundError(
            "a cross-validation divides its datasets into one number of folds: data.datasets.NAME.split="
            "'{kind: folds, folds: 5}'"
        )
    return [_with_fold(experiment, folds, fold) for fold in range(1, counts.pop() + 1)]


def is_cross_validation(experiments: Sequence[Experiment]) -> bool:
    """Return whether experiments are those of `fold_experiments`, wherever their runs are."""
    first = experiments[0]
    if not any(isinstance(data.split, FoldSplit) for data in first.data.datasets.values()):
        return False
    return [one.data.datasets for one in experiments] == [one.data.datasets for one in fold_experiments(first)]


def write_folds(ensemble: RunFolder, members: Sequence[RunFolder], mixture: TaskMixture) -> None:
    """Write into the folder of an ensemble what its members, one for each fold, have said of the molecules of theirs.

    - ``predictions/test.TASK.parquet``: each molecule as the member has predicted it that did not learn from it.
    - ``scores.json``: the scores of these predictions, part ``test``, in the units of the first member.
    - ``calibration.json``: intervals of the regressions, as wide as these predictions are off (cross-conformal
      prediction: Vovk, 2015). The mean of all members, which they are around, is mostly less off than one of them.
    - ``folds.json``: the number of folds, and as ``scores`` and ``baselines`` what a run has in the files of that name,
      of each metric the figures of all folds, their mean and their standard deviation.
    - ``worst.json`` and ``report.html``.

    Args:
        ensemble: its folder.
        members: the finished runs, one for each fold.
        mixture: their data, in whatever parts.
    """
    first = load_model(members[0].path)
    scores, intervals = {}, {}
    for name, task in first.tasks.items():
        tables = [pq.read_table(member.predictions / f"test.{name}.parquet") for member in members]
        together = pa.concat_tables(tables).unify_dictionaries().sort_by("row")
        with partial_file(ensemble.predictions / f"test.{name}.parquet") as partial:
            pq.write_table(together, partial, compression="zstd")
        metrics = _metrics(task, together, first.normalizers[name])
        scores[name] = metrics.compute().to_dict(task.labels)
        if task.kind == "regression" and metrics.used().any():
            intervals[name] = intervals_of(metrics)
    ensemble.write_json(ensemble.calibration, Calibration(intervals=intervals, probabilities={}).model_dump())
    ensemble.write_json(ensemble.scores, {"test": scores})
    ensemble.write_json(ensemble.worst, worst_molecules(mixture, ensemble.predictions))
    ensemble.write_json(ensemble.folds, fold_figures(members))
    write_report(ensemble.path)


def fold_figures(members: Sequence[RunFolder]) -> dict[str, Any]:
    """Return the content of ``folds.json``, see `write_folds`, from the test figures of finished runs."""
    scores = [json.loads(run.scores.read_text())["test"] for run in members]
    baselines = [json.loads(run.baselines.read_text()) if run.baselines.is_file() else {} for run in members]
    means = [
        {task: {metric: score["mean"] for metric, score in metrics.items()} for task, metrics in found.items()}
        for found in scores
    ]
    return {
        "folds": len(members),
        "scores": {task: _spreads([found[task] for found in means]) for task in means[0]},
        "baselines": {
            task: {name: _spreads([found[task][name] for found in baselines]) for name in named}
            for task, named in baselines[0].items()
        },
    }


def _with_fold(experiment: Experiment, folds: Mapping[str, FoldSplit], fold: int) -> Experiment:
    datasets = dict(experiment.data.datasets)
    for name, split in folds.items():
        datasets[name] = datasets[name].model_copy(update={"split": split.model_copy(update={"fold": fold})})
    return experiment.model_copy(update={"data": experiment.data.model_copy(update={"datasets": datasets})})


def _spreads(figures: Sequence[Figures]) -> dict[str, dict[str, Any]]:
    """Return metric → mean and deviation over the folds in which it is defined, and the figure of each fold."""
    spreads = {}
    for metric in figures[0]:
        folds = [found[metric] for found in figures]
        defined = [value for value in folds if value is not None]
        spreads[metric] = {
            "mean": float(np.mean(defined)) if defined else None,
            "deviation": float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
            "folds": folds,
        }
    return spreads


def _metrics(task: Task, predictions: pa.Table, normalizer: Normalizer) -> TaskMetrics:
    """Return the metrics of a table of `LabelledPredictions`."""
    names = {name: number for number, name in enumerate(task.labels)}
    label = np.array([names[name] for name in predictions["label"].to_pylist()], np.int64)
    said = np.array(predictions["prediction"].to_pylist(), np.float64)
    pairs = LabelPairs(label, predictions["target"].to_numpy())
    return collected_predictions(task, [(said, pairs)], normalizer)
