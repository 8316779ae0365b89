"""Options of components, as their annotations say: whichever way these are written."""

import pytest

from molfound.errors import MolfoundError
from molfound.registry import Registry

COMPONENTS = """
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from pydantic import Field
if TYPE_CHECKING:
    from decimal import Decimal

class Layer:
    def __init__(self, width: int, *, depth: Annotated[int, Field(ge=1)] = 2, kind: Literal["a", "b"] = "a") -> None:
        self.depth = depth

def function(width: int, *, depth: Annotated[int, Field(ge=1)] = 2, kind: Literal["a", "b"] = "a") -> int:
    return depth

def unknown(width: Decimal, *, depth: int = 2) -> int:
    return depth
"""


@pytest.mark.parametrize("future", [True, False])
@pytest.mark.parametrize("component", ["Layer", "function"])
def test_annotations_in_text_are_options_like_others(component: str, future: bool) -> None:
    code = COMPONENTS if future else COMPONENTS.partition("def unknown")[0].replace("from __future__", "# ")
    names: dict[str, object] = {}
    exec(code, names)
    registry: Registry[object] = Registry("part")  # type: ignore[type-var]
    registry.register("mine")(names[component])
    assert registry.check("mine", {"depth": 3, "kind": "b"}) == {"depth": 3, "kind": "b"}
    for options, message in (
        ({"depth": 0}, "option 'depth': Input should be greater than or equal to 1"),
        ({"depth": "3"}, "option 'depth': Input should be a valid integer"),
        ({"kind": "c"}, "option 'kind': Input should be 'a' or 'b'"),
        ({"dept": 3}, "no option 'dept'; did you mean 'depth'"),
    ):
        with pytest.raises(MolfoundError, match=message):
            registry.check("mine", options)


def test_an_annotation_that_cannot_be_evaluated_is_told() -> None:
    names: dict[str, object] = {}
    exec(COMPONENTS, names)
    registry: Registry[object] = Registry("part")  # type: ignore[type-var]
    registry.register("mine")(names["unknown"])
    with pytest.raises(MolfoundError, match="part 'mine': name 'Decimal' is not defined, and an annotation names it"):
        registry.check("mine", {"depth": 3})
