"""What a model card is made of, read from a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molfound.config import load_config
from molfound.config.schema import Experiment
from molfound.data.manifest import Manifest
from molfound.data.mixture import load_manifests
from molfound.errors import MolfoundError
from molfound.inference.calibrated import load_calibration
from molfound.model import TaskModel, ensemble_members
from molfound.tasks.calibration import Calibration
from molfound.training.run_folder import RunFolder


@dataclass(frozen=True)
class CardContent:
    """What is known of a run.

    Attributes:
        model: its model.
        experiment: its configuration; None for a model that was converted.
        manifests: of its datasets, by their names in the configuration.
        scores: of the test part: task → metric → ``{"mean", "labels", "used", "undefined"}``.
        baselines: task → baseline → metric → mean over labels on the test part.
        seen: what the training molecules of each dataset were, see `molfound.training.seen.seen_molecules`.
        calibration: None where the run keeps none.
        tells_unlike: whether it keeps training molecules, so that it can tell which others are unlike them.
        members: how many an ensemble has; 0 for a single run.
        is_cross_validation: whether each of them has a fold of its own to be tested on.
    """

    model: TaskModel
    experiment: Experiment | None
    manifests: Mapping[str, Manifest]
    scores: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    seen: Mapping[str, Mapping[str, Any]]
    calibration: Calibration | None
    tells_unlike: bool
    members: int
    is_cross_validation: bool


def read_content(run: RunFolder, model: TaskModel) -> CardContent:
    """Return what a run keeps of itself.

    Raises:
        MolfoundError: one of its files cannot be read, or its configuration names a manifest that is not there.
    """
    experiment = load_config(run.config) if run.config.is_file() else None
    return CardContent(
        model,
        experiment,
        {} if experiment is None else load_manifests(experiment),
        _json(run.scores).get("test", {}),
        _json(run.baselines),
        _json(run.seen),
        load_calibration(run.path),
        run.known_molecules.is_file(),
        len(ensemble_members(run.path)),
        run.folds.is_file(),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise MolfoundError(f"{path} is damaged: {error}") from None
    return content
