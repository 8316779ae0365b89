"""What is predicted: a task with its labels, head, loss and metrics."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from molfound.config.component import Component
from molfound.config.schema import Kind, Level
from molfound.errors import MolfoundError


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
    def outputs(self) -> int:
        """How many numbers a head predicts for one molecule, atom, edge or pair: L, or L * classes."""
        return len(self.labels) * (self.classes or 1)

    def check_values(self, label: NDArray[np.integer], values: NDArray[np.floating]) -> None:
        """Refuse label values that the task's kind has no meaning for, before they reach a loss.

        Args:
            label: [V], the label of each value.
            values: [V], present labels.

        Raises:
            MolfoundError: naming the first label with an infinite value, a binary one that is not 0 or 1, or a class
                that is not a whole number from 0 to classes - 1.
        """
        if self.kind == "regression":
            wrong, right = ~np.isfinite(values), "a regression label is a finite number"
        else:
            classes = self.classes or 2
            wrong = (values != np.floor(values)) | (values < 0) | (values >= classes)
            right = f"a {self.kind} label is a whole number from 0 to {classes - 1}"
        if wrong.any():
            first = int(np.argmax(wrong))
            name = self.labels[int(label[first])]
            raise MolfoundError(f"task '{self.name}': label '{name}' has the value {values[first]:g}; {right}")
