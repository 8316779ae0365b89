"""Whether a run's data are still what its model was made for."""

from collections.abc import Mapping
from pathlib import Path

from molfound.config.schema import Experiment
from molfound.errors import MolfoundError
from molfound.model import ModelSpecification, specify
from molfound.tasks.task import Task


def check_data_fits(
    specification: ModelSpecification, experiment: Experiment, tasks: Mapping[str, Task], folder: Path
) -> None:
    """Refuse data whose features, encodings or labels are not those of a run's model, in their order.

    Raises:
        MolfoundError: names what differs.
    """
    present = specify(experiment, tasks)
    differing = [
        name for name in ("atoms", "bonds", "encoded") if getattr(specification, name) != getattr(present, name)
    ]
    for name, task in specification.tasks.items():
        now = present.tasks.get(name)
        meaning = ("dataset", "level", "kind", "labels", "classes")
        if now is None or any(getattr(task, field) != getattr(now, field) for field in meaning):
            differing.append(f"the labels of task '{name}'")
    if differing:
        raise MolfoundError(f"the data are not those that {folder} was trained on: {', '.join(differing)} differ")
