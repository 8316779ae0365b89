"""How the tasks' losses are weighed against each other in their sum."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from molfound.config.component import Component
from molfound.config.schema import Kind
from molfound.errors import MolfoundError
from molfound.registry import Registry

Scale = Literal["given", "sum", "mean"]


class WeighedTask(NamedTuple):
    """What a weighting knows of a task.

    Attributes:
        kind: regression, binary or multiclass.
        weight: as given, `tasks.NAME.weight`: a factor of whatever weight the rule finds.
        labels: how many labels the training rows have, all of the task's columns together.
    """

    kind: Kind
    weight: float
    labels: int


class TaskWeighting(nn.Module):
    """A rule that makes one loss of many.

    A subclass declares its options keyword-only. The losses of objectives (``denoising/coordinates``) keep the weights
    given to them: a rule weighs tasks among each other.

    Args:
        tasks: by name.
        others: the weight of each loss that is not a task's.
    """

    def __init__(self, tasks: Mapping[str, WeighedTask], others: Mapping[str, float]) -> None:
        super().__init__()
        self.tasks, self.others = dict(tasks), dict(others)
        self.names = (*self.tasks, *self.others)

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return one loss of those that a batch has, a scalar, 0 if there is none; absent ones add nothing."""
        weighed = [
            self.weighed(name, loss) if name in self.tasks else self.others[name] * loss
            for name, loss in losses.items()
        ]
        return torch.stack(weighed).sum() if weighed else torch.zeros(())

    def weighed(self, name: str, loss: Tensor) -> Tensor:
        """Return what the loss of a task adds to the sum."""
        raise NotImplementedError

    @torch.no_grad()
    def figure(self, losses: Mapping[str, float]) -> float:
        """Return what `forward` makes of losses that are plain numbers."""
        numbers = {name: torch.tensor(loss, dtype=torch.float64) for name, loss in losses.items()}
        return float(self(numbers))

    def figures(self) -> dict[str, float]:
        """Return what the rule has found and a run is to record, such as ``qm9/log_variance``."""
        return {}


weightings: Registry[type[TaskWeighting]] = Registry("task weighting")


class ConstantWeighting(TaskWeighting):
    """Weights that stay as they are throughout the training.

    Attributes:
        weights: of the tasks.
    """

    weights: dict[str, float]

    def weighed(self, name: str, loss: Tensor) -> Tensor:
        """Return the loss times the task's weight."""
        return self.weights[name] * loss

    def extra_repr(self) -> str:
        """Return what `repr` shows: the weights."""
        return ", ".join(f"{name} {weight:.4g}" for name, weight in self.weights.items())


@weightings.register("fixed")
class FixedWeighting(ConstantWeighting):
    """The weights as given, `tasks.NAME.weight`.

    Args:
        tasks: by name.
        others: the weight of each loss that is not a task's.
        scale: given: as they are; sum: scaled to the sum one; mean: scaled to the mean one.
    """

    def __init__(
        self, tasks: Mapping[str, WeighedTask], others: Mapping[str, float], *, scale: Scale = "given"
    ) -> None:
        super().__init__(tasks, others)
        self.weights = scaled({name: task.weight for name, task in tasks.items()}, scale)


@weightings.register("label_count")
class LabelCountWeighting(ConstantWeighting):
    """Weights that grow with the number of labels of a task in the training rows: count ** power * the given weight.

    Args:
        tasks: by name.
        others: the weight of each loss that is not a task's.
        power: 1: every label of the mixture counts alike, whatever its task; 0.5: the root of it; 0: every task alike.
        scale: the sum (sum) or the mean (mean) of the weights is one.

    Example:
        >>> tasks = {"few": WeighedTask("binary", 1.0, 100), "many": WeighedTask("binary", 1.0, 10_000)}
        >>> LabelCountWeighting(tasks, {}, power=0.5, scale="sum").weights
        {'few': 0.0909..., 'many': 0.9090...}
    """

    def __init__(
        self,
        tasks: Mapping[str, WeighedTask],
        others: Mapping[str, float],
        *,
        power: float = 0.5,
        scale: Literal["sum", "mean"] = "mean",
    ) -> None:
        super().__init__(tasks, others)
        most = max((task.labels for task in tasks.values()), default=1)
        shares = {name: (task.labels / most) ** power * task.weight for name, task in tasks.items()}
        self.weights = scaled(shares, scale)

    def figures(self) -> dict[str, float]:
        """Return ``NAME/weight`` of each task."""
        return {f"{name}/weight": weight for name, weight in self.weights.items()}


@weightings.register("uncertainty")
class UncertaintyWeighting(TaskWeighting):
    """Weights learned as the noise of each task (Kendall, Gal and Cipolla 2018, equations 7 to 10).

    With s the logarithm of the task's variance, learned beside the network's weights and 0 to begin with, the loss L of
    a task adds ``exp(-s) * L + s / 2`` to the sum, of a regression ``exp(-s) * L / 2 + s / 2``, times the given weight.
    The sum may fall below 0.

    Args:
        tasks: by name.
        others: the weight of each loss that is not a task's.

    Attributes:
        log_variance: [tasks], s.
    """

    def __init__(self, tasks: Mapping[str, WeighedTask], others: Mapping[str, float]) -> None:
        super().__init__(tasks, others)
        self.log_variance = nn.Parameter(torch.zeros(len(tasks)))
        self._place = {name: place for place, name in enumerate(tasks)}

    def weighed(self, name: str, loss: Tensor) -> Tensor:
        """Return the negative logarithm of a likelihood whose variance is learned, without its constants."""
        # Where the loss is: those that `figure` is given are on the CPU.
        task, s = self.tasks[name], self.log_variance[self._place[name]].to(loss.device)
        share = 0.5 if task.kind == "regression" else 1.0
        return task.weight * (share * torch.exp(-s) * loss + 0.5 * s)

    def figures(self) -> dict[str, float]:
        """Return ``NAME/log_variance`` of each task."""
        values = self.log_variance.tolist()
        return {f"{name}/log_variance": value for name, value in zip(self.tasks, values, strict=True)}


def make_weighting(
    component: Component, tasks: Mapping[str, WeighedTask], others: Mapping[str, float]
) -> TaskWeighting:
    """Return the weighting that `training.task_weights` names.

    Raises:
        MolfoundError: an unknown rule or option, or weights that are all 0 and to be scaled.
    """
    weighting: TaskWeighting = weightings.build(component.name, tasks, others, **component.options)
    return weighting


def scaled(weights: Mapping[str, float], scale: Scale) -> dict[str, float]:
    """Return weights, not negative, as given or with their sum or mean scaled to one.

    Raises:
        MolfoundError: all are 0 and to be scaled.

    Example:
        >>> scaled({"a": 1.0, "b": 3.0}, "mean")
        {'a': 0.5, 'b': 1.5}
    """
    if scale == "given" or not weights:
        return dict(weights)
    total = sum(weights.values())
    if total == 0:
        raise MolfoundError("training.task_weights: the weights of all tasks are 0 and cannot be scaled")
    one = len(weights) if scale == "mean" else 1
    return {name: weight * one / total for name, weight in weights.items()}
