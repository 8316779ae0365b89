"""Sweeps of the training tests' small experiment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.training.conftest import write_datasets, write_experiment

WriteSweep = Callable[..., Path]
SPACE: dict[str, Any] = {
    "training.optimizer.lr": {"log_uniform": [1e-4, 1e-2]},
    "model.encoder.depth": {"int": [1, 2]},
    "model.encoder.layer": {"choice": ["gcn", "gin"]},
}


@pytest.fixture
def write_sweep(tmp_path: Path) -> WriteSweep:
    """Return a function that writes a sweep with changes of its keys, and gives its path."""
    torch.set_num_threads(1)
    write_datasets(tmp_path)
    write_experiment(tmp_path)

    def write(**changes: Any) -> Path:
        sweep = {
            "experiment": "tiny.yaml",
            "overrides": ["training.epochs=2", "data.batch.size=20"],
            "space": SPACE,
            "trials": 3,
        }
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(sweep | changes, sort_keys=False))
        return path

    return write
