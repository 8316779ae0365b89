"""Features, model and tasks."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from molfound.config.component import Component
from molfound.config.schema.values import Count, Dropout, Key, Kind, Level, Section, TakesOutNull, Text, Texts


class FeaturesConfig(Section):
    """The atom and bond features, in their order."""

    atoms: Annotated[Texts, Field(min_length=1)] = (
        "atomic_number",
        "group",
        "period",
        "total_valence",
        "degree",
        "charge",
        "radicals",
        "aromatic",
        "in_ring",
        "chirality",
        "hybridization",
        "hydrogens",
    )
    """Atom features."""
    bonds: Texts = ("bond_type", "stereo", "conjugated", "bond_in_ring")
    """Bond features."""


class InputsConfig(Section):
    """The network from codes and encodings to the encoder's input."""

    width: Count = 64
    """Width of the embedded features."""
    dropout: Dropout = 0.0
    """Dropout on the hidden units."""
    encodings: Annotated[dict[Key, Component], TakesOutNull] = Field(default_factory=dict)
    """The encoding encoder of each encoding, by the encoding's name; by default a deepset of width 32 for laplacian and
    an mlp of width 32 for random_walk, where the experiment has these encodings; null takes an inherited one out."""


class ModelConfig(Section):
    """The model up to the heads."""

    inputs: InputsConfig = InputsConfig()
    """The input network."""
    encoder: Component
    """The network from a batch to representations."""
    readout: Component = Component("pool", {"pooling": ["sum"]})
    """From node representations to a graph's."""


class TaskConfig(Section):
    """One task: what one head predicts. What is null is taken from the dataset's manifest or from the task's kind."""

    dataset: Key
    """The dataset, by its name under data.datasets."""
    task: Text | None = None
    """The task's name in the dataset's manifest; null: the name it has here."""
    level: Level | None = None
    """Level of the labels; null: as the manifest says."""
    kind: Kind | None = None
    """What a label is; null: as the manifest says."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """Number of classes of a multiclass task; null: as the manifest says."""
    labels: Annotated[Texts, Field(min_length=1)] | None = None
    """Label columns, wildcards allowed; null: as the manifest says."""
    head: Component = Component("mlp", {"hidden": [128]})
    """From representations to predictions."""
    loss: Component | None = None
    """Loss; null: mae for regression, bce for binary, cross_entropy for multiclass."""
    metrics: Annotated[tuple[Component, ...], Strict(False), Field(min_length=1)] | None = None
    """Metrics, each the mean over the labels for which it is defined, and kept by label; {name: auroc, aggregation:
    flattened} pools the values of all labels instead, and is called auroc_flattened. null: the usual ones of the
    kind."""
    normalize: Literal["standard", "none"] | None = None
    """Label normalisation, fitted on training labels; null: standard for regression, none for classes."""
    reduction: Literal["value", "label"] = "value"
    """Mean of the loss over all values of a batch, or over each label first and then over the labels."""
    weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the task's loss in the sum, a factor of what training.task_weights finds."""
