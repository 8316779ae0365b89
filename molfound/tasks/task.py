"""What is predicted: a task with its labels, head, loss and metrics."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from molfound.config.component import Component
from molfound.config.schema import Kind, Level
from molfound.tasks.losses import predicts_variance


@dataclass(frozen=True)
class Task:
    """A group of labels that one head predicts.

    `molfound.tasks.resolve.make_task` makes one, fills in what depends on the kind and checks that it fits together.

    Attributes:
        name: the task's name in the experiment.
        dataset: the dataset that its labels come from.
        level: graph, node, edge or node_pair.
        kind: regression, binary or multiclass.
        labels: the L label columns, in the order of the head's outputs.
        classes: number of classes of each label of a multiclass task; else None.
        head: the head and its options.
        loss: the loss and its options.
        metrics: the metrics and their options.
        normalize: ``"standard"`` or ``"none"``.
        reduction: of the loss, see `molfound.tasks.losses.masked_loss`.
        weight: of the task's loss in the sum over tasks.
    """

    name: str
    dataset: str
    level: Level
    kind: Kind
    labels: tuple[str, ...]
    classes: int | None
    head: Component
    loss: Component
    metrics: tuple[Component, ...]
    normalize: Literal["standard", "none"]
    reduction: Literal["value", "label"]
    weight: float

    def to_dict(self) -> dict[str, Any]:
        """Return the task as a dictionary that JSON can hold."""
        components = {"head": self.head.to_mapping(), "loss": self.loss.to_mapping()}
        metrics = [metric.to_mapping() for metric in self.metrics]
        return asdict(self) | {"labels": list(self.labels), **components, "metrics": metrics}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the task that `to_dict` described."""
        components = {name: Component.of(values[name]) for name in ("head", "loss")}
        metrics = tuple(Component.of(metric) for metric in values["metrics"])
        return cls(**{**values, "labels": tuple(values["labels"]), **components, "metrics": metrics})

    @property
    def predicts_variance(self) -> bool:
        """Whether a mean and a log variance are predicted for each label, as its loss asks for."""
        return predicts_variance(self.loss.name)

    @property
    def numbers(self) -> int:
        """How many numbers a head predicts for one label: one, or one of each class, or mean and log variance."""
        return 2 if self.predicts_variance else self.classes or 1

    @property
    def outputs(self) -> int:
        """How many numbers a head predicts for one molecule, atom, edge or pair: L, or L times `numbers`."""
        return len(self.labels) * self.numbers
