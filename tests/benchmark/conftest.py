"""A tiny suite on the small mixture of the training's tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from molfound.config import load_config
from molfound.model import MolecularModel, save_model, specify
from tests.training.conftest import write_datasets, write_experiment

WriteSuite = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two datasets, their manifests and an experiment on both."""
    torch.set_num_threads(1)
    write_datasets(tmp_path)
    path = write_experiment(tmp_path)
    experiment = yaml.safe_load(path.read_text())
    experiment["training"]["epochs"] = 2
    path.write_text(yaml.safe_dump(experiment))
    return tmp_path


@pytest.fixture
def write_suite(folder: Path) -> WriteSuite:
    """Return a function that writes the suite with changes of its top keys (None takes one out), and gives its path."""

    def write(**changes: Any) -> Path:
        suite = {
            "title": "Tiny",
            "description": "Two datasets, two models.",
            "datasets": {"props": {"manifest": "props.yaml"}, "atoms": {"manifest": "atoms.yaml"}},
            "splits": ["random"],
            "models": {
                "gin": {"config": "tiny.yaml", "overrides": ["model.encoder.layer=gin"]},
                "gine": {"config": "tiny.yaml"},
            },
            "mixtures": ["single", "multi"],
            "seeds": [0, 1],
            "overrides": ["training.epochs=1", "data.batch.size=20"],
            "metrics": {"regression": ["mae", "r2"], "binary": ["auroc", "bce"]},
            "published": [
                {
                    "source": "Somebody (2024)",
                    "differs": "other data",
                    "values": {"GINE": {"single": {"logp": {"mae": 0.25}}, "multi": {"logp": {"mae": 0.125}}}},
                }
            ],
        }
        path = folder / "tiny_suite.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in (suite | changes).items() if v is not None}, sort_keys=False))
        return path

    return write


@pytest.fixture
def pretrained(folder: Path) -> Path:
    """A run folder to start from: the experiment's network with random weights."""
    run = folder / "pretrained"
    run.mkdir()
    save_model(MolecularModel(specify(load_config(folder / "tiny.yaml"), {})), run)
    return run
