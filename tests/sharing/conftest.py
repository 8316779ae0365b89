"""A trained run with a plugin and manifests of its own, in a folder that is gone when it is used from elsewhere."""

from pathlib import Path

import pytest

from molfound.config import load_config
from molfound.training.train import train
from tests.conftest import plugins_forgotten_after
from tests.training.conftest import write_datasets, write_experiment

PLUGIN = """
from torch import nn

from molfound.tasks.heads import heads


@heads.register("doubled")
class Doubled(nn.Module):
    def __init__(self, width, task):
        super().__init__()
        self.linear = nn.Linear(width, task.outputs)

    def forward(self, values):
        return 2 * self.linear(values)
"""


@pytest.fixture(scope="package")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the data, the plugin and the run `run`."""
    folder = tmp_path_factory.mktemp("origin")
    write_datasets(folder)
    (folder / "doubled.py").write_text(PLUGIN)
    overrides = ["training.epochs=1", f"plugins=[{folder / 'doubled.py'}]", "tasks.acid.head=doubled"]
    with plugins_forgotten_after():
        train(load_config(write_experiment(folder), overrides))
    return folder
