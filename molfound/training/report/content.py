"""What a report is made of, read from the files of a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from molfound.training.report.kept_predictions import KeptPredictions
from molfound.training.run_folder import RunFolder


class Curve(NamedTuple):
    """A figure over the epochs: `epochs` and `values`, both float64 [n]; NaN where a value was not finite."""

    epochs: NDArray[np.float64]
    values: NDArray[np.float64]


class WorstValue(NamedTuple):
    """A prediction of the test part that is far off, see `molfound.training.worst_molecules`."""

    smiles: str
    atom: int | None
    label: str
    target: float
    prediction: float
    error: float


class EpochTime(NamedTuple):
    """What an epoch took, or what was left of it when a training was resumed; seconds."""

    epoch: int
    molecules: int
    training: float
    waiting: float
    rest: float


@dataclass(frozen=True)
class Timing:
    """The time of a training, and what took it.

    Attributes:
        epochs: in the order in which they were trained.
        device: processor or GPU.
        processes: each of which has such a device, or a share of it.
        threads: of each process.
        parameters: of the model.
    """

    epochs: tuple[EpochTime, ...]
    device: str
    processes: int
    threads: int
    parameters: int


@dataclass(frozen=True)
class TaskContent:
    """What is known of one task.

    Attributes:
        name: of the task.
        level: graph, node, edge or node_pair.
        kind: regression, binary or multiclass.
        labels: the label names.
        digests: of its labels and of its dataset's split, where they are known.
        loss: the name of its loss.
        normalize: how its labels are normalised; None where that is not known.
        curves: the loss (``"loss"``) and each metric, of each part, over the epochs.
        scores: part → metric → ``{"mean", "labels", "used", "undefined"}``.
        baselines: baseline → metric → mean over labels on the test part.
        calibration: what the test part says of the run's calibration, by figure.
        predictions: of the test part; None for classes or where there is no test part.
        worst: predictions of the test part, the worst first; None where they were not sought.
    """

    name: str
    level: str
    kind: str
    labels: tuple[str, ...]
    digests: tuple[str | None, str | None]
    loss: str
    normalize: str | None
    curves: Mapping[str, Mapping[str, Curve]]
    scores: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, Mapping[str, float | None]]
    calibration: Mapping[str, float | None]
    predictions: KeptPredictions | None
    worst: tuple[WorstValue, ...] | None


@dataclass(frozen=True)
class RunContent:
    """What is known of a run.

    Attributes:
        name: of the run's folder.
        experiment: the name that its configuration has.
        config: the text of its configuration.
        versions: of the libraries that made the model.
        losses: the total loss of each part over the epochs.
        tasks: in the order of the model.
        timing: None where no epoch was completed.
    """

    name: str
    experiment: str
    config: str
    versions: Mapping[str, str]
    losses: Mapping[str, Curve]
    tasks: tuple[TaskContent, ...]
    timing: Timing | None


def read_content(run: RunFolder) -> RunContent:
    """Return everything that a report shows of a run."""
    model = _read_json(run.specification)
    scores = _read_json(run.scores)
    baselines = _read_json(run.baselines)
    calibration = _read_json(run.calibration).get("test", {})
    curves = _curves(run.metrics)
    worst, data = _read_json(run.worst), _read_json(run.data)
    tasks = tuple(
        TaskContent(
            name=name,
            level=task["level"],
            kind=task["kind"],
            labels=tuple(task["labels"]),
            digests=_digests(data.get(task["dataset"], {}), name),
            loss=task["loss"]["name"],
            normalize=task.get("normalize"),
            curves=curves.get(name, {}),
            scores={part: of_part[name] for part, of_part in scores.items() if name in of_part},
            baselines=baselines.get(name, {}),
            calibration=calibration.get(name, {}),
            predictions=_predictions(run.predictions, name, task),
            worst=_worst(worst[name]) if name in worst else None,
        )
        for name, task in model.get("tasks", {}).items()
    )
    config = run.config.read_text(encoding="utf-8")
    losses = curves.get(None, {}).get("loss", {})
    versions = model.get("versions", {})
    name, experiment = run.path.resolve().name, str(yaml.safe_load(config)["name"])
    return RunContent(name, experiment, config, versions, losses, tasks, _timing(run.timing))


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content


def _read_lines(path: Path) -> list[dict[str, Any]]:
    # A line without its end is one that is being written.
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _curves(path: Path) -> dict[str | None, dict[str, dict[str, Curve]]]:
    """Return task (None: all together) → figure → part → its values over the epochs."""
    points: dict[tuple[str | None, str, str], list[tuple[float, float]]] = {}
    for figure in _read_lines(path):
        value = np.nan if figure["value"] is None else figure["value"]
        points.setdefault((figure["task"], figure["name"], figure["part"]), []).append((figure["epoch"], value))
    curves: dict[str | None, dict[str, dict[str, Curve]]] = {}
    for (task, name, part), pairs in points.items():
        curves.setdefault(task, {}).setdefault(name, {})[part] = Curve(*np.array(pairs, np.float64).T)
    return curves


def _timing(path: Path) -> Timing | None:
    lines = _read_lines(path)
    if not lines:
        return None
    epochs = tuple(
        EpochTime(*(line[key] for key in ("epoch", "molecules", "seconds", "waiting", "rest"))) for line in lines
    )
    last = lines[-1]
    return Timing(epochs, last["device"], last["processes"], last["threads"], last["parameters"])


def _digests(data: Mapping[str, str], task: str) -> tuple[str | None, str | None]:
    return data.get(f"labels/{task}"), data.get("split")


def _worst(values: list[dict[str, Any]]) -> tuple[WorstValue, ...]:
    return tuple(WorstValue(*(value[key] for key in WorstValue._fields)) for value in values)


def _predictions(folder: Path, name: str, task: Mapping[str, Any]) -> KeptPredictions | None:
    path = folder / f"test.{name}.parquet"
    return KeptPredictions(path, task["labels"]) if path.is_file() and task["kind"] != "multiclass" else None
