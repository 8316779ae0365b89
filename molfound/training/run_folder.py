"""The run folder: everything that a training leaves behind, and how it is written without ever losing any."""

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from molfound.data.shards import write_atomically, writing_to
from molfound.errors import MolfoundError
from molfound.model.ensemble import ensemble_members
from molfound.model.files import ENSEMBLE_FILE


class RunFolder:
    """The files of a run, or of an ensemble, which has its members' runs in a folder of its own.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.data = path / "data.json"
        self.model = path / "model.safetensors"
        self.specification = path / "model.json"
        self.metrics = path / "metrics.jsonl"
        self.timing = path / "timing.jsonl"
        self.last_checkpoint = path / "checkpoints" / "last.pt"
        self.scores = path / "scores.json"
        self.objectives = path / "objectives.json"
        self.baselines = path / "baselines.json"
        self.calibration = path / "calibration.json"
        self.known_molecules = path / "known_molecules.npz"
        self.seen = path / "seen.json"
        self.predictions = path / "predictions"
        self.worst = path / "worst.json"
        self.plugins = path / "plugins"
        self.tensorboard = path / "tensorboard"
        self.report = path / "report.html"
        self.ensemble = path / ENSEMBLE_FILE
        self.members = path / "members"
        self.folds = path / "folds.json"

    @classmethod
    def existing(cls, path: Path) -> "RunFolder":
        """Return the folder of a run that has been started.

        Raises:
            MolfoundError: the folder is missing or holds no run.
        """
        run = cls(path)
        if not run.config.is_file():
            raise MolfoundError(f"{path} is not a run folder: it has no config.yaml")
        return run

    @property
    def has_progress(self) -> bool:
        """Whether a training has left anything here that could be lost."""
        of_members = (RunFolder(path).has_progress for path in ensemble_members(self.path))
        return self.last_checkpoint.exists() or self.model.exists() or any(of_members)

    @property
    def is_copy(self) -> bool:
        """Whether a finished model is here and no checkpoint, as of an exported run or in an ensemble of runs."""
        finished = self.report.is_file() or not self.metrics.exists()
        return self.model.is_file() and not self.last_checkpoint.exists() and finished

    def check_place(self) -> None:
        """Raise `MolfoundError` if there can be no such folder, because a file is in its way, say; make nothing yet."""
        with writing_to(self.path), suppress(FileNotFoundError):
            os.scandir(self.path).close()

    def clear(self) -> None:
        """Remove what an earlier run left in the folder; where there was none, nothing is ours."""
        if not (self.config.is_file() or self.has_progress):
            return
        if self.ensemble.is_file() and self.members.is_dir():
            shutil.rmtree(self.members)
        for path in (
            self.ensemble,
            self.folds,
            self.data,
            self.model,
            self.specification,
            self.metrics,
            self.timing,
            self.last_checkpoint,
            self.scores,
            self.objectives,
            self.baselines,
            self.calibration,
            self.known_molecules,
            self.worst,
            self.seen,
            self.report,
        ):
            path.unlink(missing_ok=True)
        for folder in (self.predictions, self.plugins, self.tensorboard):
            if folder.is_dir():
                shutil.rmtree(folder)

    def write_json(self, path: Path, content: Any) -> None:
        """Write a JSON file of the run: it is either there whole or not at all."""
        write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


class MetricsLog:
    """Lines of ``metrics.jsonl``, one figure each: ``{"step", "epoch", "part", "task", "name", "value"}``.

    ``timing.jsonl`` is one too, a line each epoch: no two runs take the same time, and figures are to be the same bits.

    Args:
        path: the file; lines are added at its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def length(self) -> int:
        """Bytes written so far, kept in every checkpoint."""
        return self.path.stat().st_size if self.path.exists() else 0

    def rewind(self, length: int) -> None:
        """Forget what was written after a checkpoint."""
        if self.length > length:
            os.truncate(self.path, length)

    def write(self, figures: Iterable["dict[str, Any]"]) -> None:
        """Add figures; they are on disk when this returns."""
        lines = "".join(json.dumps(figure, ensure_ascii=False, allow_nan=False) + "\n" for figure in figures)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
