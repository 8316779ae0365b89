"""Which predictions come with a standard deviation."""

from collections.abc import Sequence

from molfound.errors import MolfoundError
from molfound.model import DropoutSamples, TaskModel


def deviating_tasks(model: TaskModel, tasks: Sequence[str]) -> list[str]:
    """Return which of some tasks come with deviations.

    Raises:
        MolfoundError: none of them does.
    """
    found = [name for name in tasks if name in model.deviating]
    if not found and isinstance(model, DropoutSamples):
        raise MolfoundError(
            f"no dropout acts on the predictions of {', '.join(tasks)}, so that all dropout samples would be the same"
        )
    if not found:
        raise MolfoundError(
            f"a single model knows no deviation of {', '.join(tasks)}: it was not trained with the loss gaussian_nll, "
            "and is no ensemble (molfound train --members); dropout samples are another way to one"
        )
    return found
