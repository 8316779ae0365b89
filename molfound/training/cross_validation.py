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
from molfound.training.labelled_predictions import of_label
from molfound.training.mixture import TaskMixture
from molfound.training.report import write_report
from molfound.training.run_folder import RunFolder
from molfound.training.worst_molecules import worst_molecules

Figures = Mapping[str, float | None]


def fold_experiments(experiment: Experiment) -> list[Experiment]:
    """Return an experiment for each fold, in which that fold is the test part.

    Args:
        experiment: all of whose datasets have a split of kind ``folds``.

    Raises:
        MolfoundError: one has not, or they have different numbers of folds.
    """
    folds = _folds(experiment)
    if folds is None:
        raise MolfoundError(
            "a cross-validation divides all of its datasets into one number of folds: data.datasets.NAME.split="
            "'{kind: folds, folds: 5}'"
        )
    return [_with_fold(experiment, fold) for fold in range(1, folds + 1)]


def is_cross_validation(experiments: Sequence[Experiment]) -> bool:
    """Return whether experiments are those of `fold_experiments`, wherever their runs are."""
    first = experiments[0]
    if _folds(first) is None:
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
        paths = [member.predictions / f"test.{name}.parquet" for member in members]
        tables = [pq.read_table(path) for path in paths if path.is_file()]  # a fold may have no label of a task
        if not tables:
            continue
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
    tasks = dict.fromkeys(task for found in means for task in found)
    fitted = dict.fromkeys((task, name) for found in baselines for task, named in found.items() for name in named)
    of_baselines: dict[str, Any] = {}
    for task, name in fitted:
        spreads = _spreads([found.get(task, {}).get(name, {}) for found in baselines])
        of_baselines.setdefault(task, {})[name] = spreads
    return {
        "folds": len(members),
        "scores": {task: _spreads([found.get(task, {}) for found in means]) for task in tasks},
        "baselines": of_baselines,
    }


def _folds(experiment: Experiment) -> int | None:
    """Return the number of folds that all datasets are divided into; None where they are not."""
    splits = [data.split for data in experiment.data.datasets.values()]
    counts = {split.folds if isinstance(split, FoldSplit) else None for split in splits}
    return counts.pop() if len(counts) == 1 else None


def _with_fold(experiment: Experiment, fold: int) -> Experiment:
    datasets = dict(experiment.data.datasets)
    for name, data in datasets.items():
        if isinstance(data.split, FoldSplit):
            datasets[name] = data.model_copy(update={"split": data.split.model_copy(update={"fold": fold})})
    return experiment.model_copy(update={"data": experiment.data.model_copy(update={"datasets": datasets})})


def _spreads(figures: Sequence[Figures]) -> dict[str, dict[str, Any]]:
    """Return metric → mean and deviation over the folds in which it is defined, and the figure of each fold."""
    spreads = {}
    for metric in dict.fromkeys(metric for found in figures for metric in found):
        folds = [found.get(metric) for found in figures]
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
    label = of_label(predictions["label"].combine_chunks(), names).astype(np.int64)
    said = predictions["prediction"].combine_chunks()
    said = said.flatten().to_numpy().reshape(len(label), -1) if pa.types.is_list(said.type) else said.to_numpy()
    pairs = LabelPairs(label, predictions["target"].to_numpy())
    return collected_predictions(task, [(said.astype(np.float64), pairs)], normalizer)
