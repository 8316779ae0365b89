"""Models to predict with: untrained, at every level, and whatever a test wants them to say."""

from pathlib import Path

import pytest
import torch

import molfound as mf
from molfound.inference import Predictor
from molfound.model import MolecularModel, save_model, specify
from molfound.tasks.resolve import make_task
from tests.data.conftest import prepare as prepare
from tests.test_model import all_tasks, experiment


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with an untrained model that has a task at every level."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path / "run"
    folder.mkdir()
    tasks = all_tasks() | {"bins": make_task("bins", "one", "graph", "multiclass", ["size"], classes=3)}
    save_model(MolecularModel(specify(experiment(), tasks)), folder)
    return folder


@pytest.fixture
def model(run: Path) -> Predictor:
    """The model of the folder."""
    return mf.load(run)
