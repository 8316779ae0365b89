"""How one layer of configuration is laid over another, and how overrides become layers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticUndefined

from molfound.config.documents import read_value
from molfound.config.places import OPEN, Place, nearest_key
from molfound.errors import MolfoundError

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*")


@dataclass(frozen=True)
class Layer:
    """A part of the configuration and where it comes from, for messages."""

    source: str
    data: Mapping[str, Any]

    def holds(self, path: Sequence[str]) -> bool:
        """Return whether the layer itself says what stands at that key."""
        value: Any = self.data
        for key in path:
            if not isinstance(value, Mapping) or key not in value:
                return False
            value = value[key]
        return True


def merged(base: Any, over: Any, place: Place) -> Any:
    """Return `over` laid over `base`.

    Mappings merge key by key; lists and single values are replaced. A component is replaced too where its name changes
    (and a split where its kind does), because options belong to one component: over ``{name: huber, delta: 1}``,
    ``{delta: 2}`` and ``{name: huber, delta: 2}`` set an option, ``{name: mae}`` leaves no ``delta``, and the bare name
    ``huber`` is huber with its own defaults. Options laid over a bare name, or over nothing where the schema has a
    default component, join that component. A component's option may be a component too, such as an encoder's layer.

    Args:
        base: what stands there; `PydanticUndefined` for nothing.
        over: what is laid over it.
        place: the place of both in the schema.
    """
    if not isinstance(over, Mapping):
        return over
    if base is PydanticUndefined and place.shape == "component":
        base = place.default
    if place.tag == "name" and isinstance(base, str):
        base = {"name": base}
    if not isinstance(base, Mapping) or (place.tag in over and over[place.tag] != base.get(place.tag)):
        base = {}
    result = dict(base)
    for key, value in over.items():
        result[key] = merged(base.get(key, PydanticUndefined), value, place.child(key) or OPEN)
    return result


def override_layer(text: str, below: Mapping[str, Any], root: Place) -> Layer:
    """Return the layer of one override, ``key.of.it=value``.

    Args:
        text: the override; its value is YAML (see `documents.read_value`).
        below: the configuration it is laid over, which says what entries (datasets, tasks) there are.
        root: the place of the whole.

    Raises:
        MolfoundError: not of that form, or a key the schema does not know, with the nearest.
    """
    source = f"override '{text}'"
    key, equals, value = text.partition("=")
    if not equals or not _KEY.fullmatch(key.strip()):
        raise MolfoundError(f"{source}: should be key=value, such as training.epochs=10")
    path = tuple(key.strip().split("."))
    _check_key(path, below, root, source)
    data: Any = read_value(value, source)
    for part in reversed(path):
        data = {part: data}
    return Layer(source, data)


def _check_key(path: tuple[str, ...], below: Mapping[str, Any], root: Place, source: str) -> None:
    place: Place = root
    standing: Any = below
    for position, key in enumerate(path):
        child = place.child(key)
        entries = standing if isinstance(standing, Mapping) else {}
        opens_unknown_entry = place.entry is not None and position + 1 < len(path) and key not in entries
        if place.shape == "value":
            above = ".".join(path[:position])
            raise MolfoundError(f"{source}: '{above}' is one value with no keys in it; give it whole")
        if child is None or (opens_unknown_entry and place.entry is not None and place.entry.shape == "section"):
            unknown = path[: position + 1]
            near = nearest_key(path if child is None else unknown, below, root)
            raise MolfoundError(f"{source}: unknown key '{'.'.join(unknown)}'{near}")
        place, standing = child, entries.get(key)
