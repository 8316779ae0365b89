"""What every section is made of: its closed base class and the kinds of values."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

Level = Literal["graph", "node", "edge", "node_pair"]
Kind = Literal["regression", "binary", "multiclass"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=100)]
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Strict(False)]
Count = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Dropout = Annotated[float, Field(ge=0, lt=1)]


def _without_null(entries: Any) -> Any:
    if not isinstance(entries, Mapping):
        return entries
    return {key: entry for key, entry in entries.items() if entry is not None}


TakesOutNull = BeforeValidator(_without_null)
"""In a mapping of named entries, an entry set to null is taken out: so a child drops what its parent brought."""


class Section(BaseModel):
    """A part of the configuration: frozen, closed to unknown keys, strict about types (``"3"`` is no number)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
