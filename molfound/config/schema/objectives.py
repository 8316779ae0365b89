"""What a batch loses before the encoder reads it, for objectives to restore."""

from typing import Annotated, Literal

from pydantic import Field

from molfound.config.schema.values import Dropout, Section, Texts

Share = Annotated[float, Field(ge=0, le=1)]


class NoiseConfig(Section):
    """Noise on the coordinates."""

    kind: Literal["normal", "uniform"] = "normal"
    """normal: of this standard deviation in each direction; uniform: up to this much in each direction."""
    scale: Annotated[float, Field(gt=0)] = 0.2
    """Å."""


class CorruptionConfig(Section):
    """What a training batch, and for the objectives' figures a validation batch, loses."""

    atoms: Dropout = 0.0
    """Share of the atoms whose element is hidden."""
    bonds: Dropout = 0.0
    """Share of the bonds whose features are hidden."""
    graphs: Share = 0.0
    """Share of the molecules with coordinates of which everything but elements and coordinates is hidden."""
    coordinates: NoiseConfig | None = None
    """Noise on the coordinates of all atoms; null: none."""
    element_features: Texts = ("atomic_number", "group", "period")
    """The atom features that tell an element, which are hidden with it."""
