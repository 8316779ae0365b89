"""An experiment's data with its tasks: prepared, loaded and split."""

from dataclasses import dataclass

import numpy as np

from molfound.config.schema import Experiment
from molfound.data.mixture import Mixture, load_mixture
from molfound.model import MolecularModel
from molfound.tasks.normalization import Normalizer
from molfound.tasks.task import Task


@dataclass(frozen=True)
class TaskMixture:
    """The graphs of a mixture and the tasks learned on them.

    Attributes:
        graphs: the loaded datasets and their parts.
        tasks: by name.
    """

    graphs: Mixture
    tasks: dict[str, Task]

    def __str__(self) -> str:
        return f"{self.graphs}; tasks {', '.join(f'{name} ({len(task.labels)})' for name, task in self.tasks.items())}"
