"""What a report is made of, read from the files of a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from molfound.training.run_folder import RunFolder


class Curve(NamedTuple):
    """A figure over the epochs: `epochs` and `values`, both float64 [n]; NaN where a value was not finite."""

    epochs: NDArray[np.float64]
    values: NDArray[np.float64]


class Predictions(NamedTuple):
    """Finite predictions of a task on the test part, original units or probabilities; labels are places in `names`."""

    names: tuple[str, ...]
    label: NDArray[np.int64]
    prediction: NDArray[np.float64]
    target: NDArray[np.float64]


@dataclass(frozen=True)
class TaskContent:
    """What is known of one task.

    Attributes:
        name: of the task.
        level: graph, node, edge or node_pair.
        kind: regression, binary or multiclass.
        labels: the label names.
        losses: the loss of each part over the epochs.
        scores: part → metric → ``{"mean", "labels", "used", "undefined"}``.
        baselines: baseline → metric → mean over labels on the test part.
        calibration: what the test part says of the run's calibration, by figure.
        predictions: of the test part; None for classes or where there is no test part.
    """

    name: str
    level: str
    kind: str
    labels: tuple[str, ...]
    losses: Mapping[str, Curve]
    scores: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, Mapping[str, float | None]]
    calibration: Mapping[str, float | None]
    predictions: Predictions | None


@dataclass(frozen=True)
class RunContent:
    """What is known of a run.

    Attributes:
        name: of the run's folder.
        config: the text of its configuration.
        versions: of the libraries that made the model.
        losses: the total loss of each part over the epochs.
        tasks: in the order of the model.
    """

    name: str
    config: str
    versions: Mapping[str, str]
    losses: Mapping[str, Curve]
    tasks: tuple[TaskContent, ...]


def read_content(run: RunFolder) -> RunContent:
    """Return everything that a report shows of a run."""
    model = _read_json(run.specification)
    scores = _read_json(run.scores)
    baselines = _read_json(run.baselines)
    calibration = _read_json(run.calibration).get("test", {})
    curves = _loss_curves(run.metrics)
    tasks = tuple(
        TaskContent(
            name=name,
            level=task["level"],
            kind=task["kind"],
            labels=tuple(task["labels"]),
            losses=curves.get(name, {}),
            scores={part: of_part[name] for part, of_part in scores.items() if name in of_part},
            baselines=baselines.get(name, {}),
            calibration=calibration.get(name, {}),
            predictions=None if task["kind"] == "multiclass" else _predictions(run.predictions, name),
        )
        for name, task in model.get("tasks", {}).items()
    )
    config = run.config.read_text(encoding="utf-8")
    return RunContent(run.path.resolve().name, config, model.get("versions", {}), curves.get(None, {}), tasks)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content


def _loss_curves(path: Path) -> dict[str | None, dict[str, Curve]]:
    """Return task (None: all together) → part → the loss over the epochs."""
    points: dict[str | None, dict[str, list[tuple[float, float]]]] = {}
    # A line without its end is one that is being written.
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    for line in lines:
        figure: dict[str, Any] = json.loads(line) if line.endswith("\n") else {"name": None}
        if figure["name"] == "loss":
            value = np.nan if figure["value"] is None else figure["value"]
            points.setdefault(figure["task"], {}).setdefault(figure["part"], []).append((figure["epoch"], value))
    return {
        task: {part: Curve(*np.array(pairs, np.float64).T) for part, pairs in parts.items()}
        for task, parts in points.items()
    }


def _predictions(folder: Path, task: str) -> Predictions | None:
    path = folder / f"test.{task}.parquet"
    if not path.is_file():
        return None
    table = pq.read_table(path, columns=["label", "prediction", "target"])
    label = table.column("label").combine_chunks()
    label = label if isinstance(label, pa.DictionaryArray) else label.dictionary_encode()
    index = label.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    prediction, target = (table.column(name).to_numpy().astype(np.float64) for name in ("prediction", "target"))
    finite = np.isfinite(prediction) & np.isfinite(target)
    return Predictions(tuple(label.dictionary.to_pylist()), index[finite], prediction[finite], target[finite])
