"""The figures of a suite from its run folders: mean and deviation over seeds, the best marked, the published beside."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from molfound.benchmark.cells import Cell
from molfound.benchmark.suite import LoadedSuite
from molfound.plugins import load_plugins
from molfound.tasks.aggregation import FLATTENED, STANDARDISED, greater_is_better, is_known

PART = "test"


@dataclass(frozen=True)
class Figure:
    """One metric of one task by one model.

    Attributes:
        split: of the data; None for a published figure of all splits.
        task: that is measured.
        metric: its name.
        greater_is_better: whether more of it is better.
        model: the model's or the baseline's name.
        kind: model, baseline or published.
        learned: single, if the task's dataset is learned alone, or multi, with all the others.
        mean: over the seeds, of the mean over the task's labels; None where it is undefined.
        deviation: standard deviation over the seeds, their number less one in the denominator; None for one seed.
        seeds: number of seeds that the mean is of; 0 where unknown.
        best: whether none of the suite's own models and baselines has a better mean; published ones are not compared,
            for their protocol differs.
        source: what published it.
    """

    split: str | None
    task: str
    metric: str
    greater_is_better: bool
    model: str
    kind: Literal["model", "baseline", "published"]
    learned: Literal["single", "multi"]
    mean: float | None
    deviation: float | None
    seeds: int
    best: bool = False
    source: str | None = None


@dataclass(frozen=True)
class Results:
    """All that a suite's folder holds.

    Attributes:
        figures: of models, baselines and publications, by split and task.
        cells: of each cell its name, its state (finished, interrupted, waiting, failed), the reason where it failed,
            and its test figures by task.
    """

    figures: list[Figure]
    cells: list[dict[str, Any]]


def collect(loaded: LoadedSuite, cells: Sequence[Cell], failed: Mapping[str, str] | None = None) -> Results:
    """Return the results of the cells that are finished.

    Args:
        loaded: the suite.
        cells: all of its cells.
        failed: why cells have failed, by their names.

    Raises:
        MolfoundError: a finished cell has a metric of a plugin that cannot be loaded.
    """
    failed = failed or {}
    told = []
    values: dict[tuple[str, str, str, str, bool, str], dict[str, list[float]]] = {}
    normalizations: dict[tuple[str, str], set[str]] = {}
    for cell in cells:
        scores = _scores(cell) if cell.state == "finished" else {}
        if not all(is_known(metric) for metrics in scores.values() for metric in metrics):
            load_plugins(map(Path, cell.experiment.plugins))
        state = "failed" if cell.name in failed else cell.state
        reason = {"reason": failed[cell.name]} if cell.name in failed else {}
        told.append({"cell": cell.name, "state": state, **reason, "scores": scores})
        learned = "multi" if cell.mixture == "multi" else "single"
        for task, metrics in scores.items():
            normalize = cell.experiment.tasks[task].normalize or "standard"  # which is asked of regressions alone
            normalizations.setdefault((cell.split, task), set()).add(normalize)
            place = values.setdefault((cell.split, task, cell.model, learned, cell.baseline, cell.mixture), {})
            for metric, value in metrics.items():
                place.setdefault(metric, []).extend([] if value is None else [value])
    figures = []
    for (split, task, model, learned, baseline, _), by_metric in values.items():
        for metric, found in by_metric.items():
            figures.append(
                Figure(
                    split,
                    task,
                    metric,
                    greater_is_better(metric),
                    model,
                    "baseline" if baseline else "model",
                    "multi" if learned == "multi" else "single",
                    float(np.mean(found)) if found else None,
                    float(np.std(found, ddof=1)) if len(found) > 1 else None,
                    len(found),
                )
            )
    several = {place for place, found in normalizations.items() if len(found) > 1}
    return Results([*_best_marked(figures, several), *_published(loaded)], told)


def to_json(loaded: LoadedSuite, results: Results) -> str:
    """Return the results as JSON text."""
    suite = loaded.suite
    told = {
        "suite": loaded.name,
        "title": suite.title,
        "part": PART,
        "figures": [asdict(figure) for figure in results.figures],
        "published": [{"source": entry.source, "differs": entry.differs} for entry in suite.published],
        "cells": results.cells,
    }
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _scores(cell: Cell) -> dict[str, dict[str, float | None]]:
    """Return a finished cell's test figures: task → metric → mean over labels."""
    if cell.baseline:
        fitted = json.loads(cell.run.baselines.read_text())
        return {task: scores[cell.model] for task, scores in fitted.items() if cell.model in scores}
    scores = json.loads(cell.run.scores.read_text()).get(PART, {})
    return {task: {metric: score["mean"] for metric, score in metrics.items()} for task, metrics in scores.items()}


def _best_marked(figures: Iterable[Figure], several_units: Collection[tuple[str, str]]) -> Iterator[Figure]:
    """Yield the figures, the best marked where they have one unit: tasks are named that have several normalisations."""
    figures = list(figures)
    best: dict[tuple[str | None, str, str], float] = {}
    for figure in figures:
        if figure.mean is not None:
            place = (figure.split, figure.task, figure.metric)
            better = max if figure.greater_is_better else min
            best[place] = better(best.get(place, figure.mean), figure.mean)
    for figure in figures:
        is_best = figure.mean is not None and figure.mean == best[figure.split, figure.task, figure.metric]
        if (figure.split, figure.task) in several_units and figure.metric.removesuffix(FLATTENED) in STANDARDISED:
            is_best = False
        yield replace(figure, best=is_best)


def _published(loaded: LoadedSuite) -> Iterator[Figure]:
    for entry in loaded.suite.published:
        for model, by_mixture in entry.values.items():
            for learned, tasks in by_mixture.items():
                for task, figures in tasks.items():
                    for metric, value in figures.items():
                        better = greater_is_better(metric)
                        yield Figure(
                            entry.split, task, metric, better, model, "published", learned, value, None, 0,
                            source=entry.source,
                        )  # fmt: skip
