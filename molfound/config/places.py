"""What may stand at each dotted key, read from the schema itself: the ground for merging, defaults and suggestions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from molfound.config.component import Component

Shape = Literal["section", "entries", "component", "split", "open", "value"]


@dataclass(frozen=True)
class Place:
    """A place in the configuration.

    Attributes:
        shape: a section of known keys; named entries of one shape; a component; a split; an open mapping (a component's
            options); or a plain value (a list is one).
        section: the section's model.
        choices: the models a split may have.
        entry: the place of each entry.
        default: what stands there when nothing is given, as YAML would have it; `PydanticUndefined` if nothing.
    """

    shape: Shape
    section: type[BaseModel] | None = None
    choices: tuple[type[BaseModel], ...] = ()
    entry: "Place | None" = None
    default: Any = PydanticUndefined

    def child(self, key: str) -> "Place | None":
        """Return the place of a key, or None where no such key may stand."""
        if self.section is not None:
            return _fields(self.section).get(key)
        if self.entry is not None:
            return self.entry
        return None if self.shape == "value" else OPEN

    def children(self) -> Mapping[str, "Place"]:
        """Return the known keys of a section or of a split of any kind with their places; else nothing."""
        models = self.choices if self.section is None else (self.section,)
        return {key: place for model in models for key, place in _fields(model).items()}

    @property
    def tag(self) -> str | None:
        """The key whose change makes a mapping another thing, so that it replaces and does not merge."""
        return {"component": "name", "open": "name", "split": "kind"}.get(self.shape)


OPEN = Place("open")


def place_of(model: type[BaseModel]) -> Place:
    """Return the place of a whole document of that model."""
    return Place("section", section=model)


def with_defaults(data: Any, place: Place) -> Any:
    """Return the mapping with every default written out, except an empty mapping of entries."""
    if place.entry is not None and isinstance(data, Mapping):
        return {key: with_defaults(value, place.entry) for key, value in data.items()}
    if place.section is None or not isinstance(data, Mapping):
        return data
    filled = dict(data)
    for key, child in place.children().items():
        if key in filled:
            filled[key] = with_defaults(filled[key], child)
        elif child.default == {}:
            filled |= {} if child.section is None else {key: with_defaults({}, child)}
        elif child.default is not PydanticUndefined:
            filled[key] = child.default
    return filled


def nearest_key(path: tuple[str, ...], data: Any, root: Place) -> str:
    """Return ``"; did you mean 'a.b.c'?"`` for the known key nearest to an unknown one, beside it or anywhere else.

    Args:
        path: the unknown key.
        data: the configuration as given, whose entries (datasets, tasks) are known keys too.
        root: the place of the whole.
    """
    known = list(_known_paths(data, root))
    beside = [key[-1] for key in known if key[:-1] == path[:-1]]
    near = get_close_matches(path[-1], beside, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{'.'.join((*path[:-1], near[0]))}'?"
    elsewhere = [".".join(key) for key in known if key[-1] == path[-1]]
    if elsewhere:
        dotted = ".".join(path)
        return f"; did you mean '{get_close_matches(dotted, elsewhere, n=1, cutoff=0.0)[0]}'?"
    return f"; known: {', '.join(beside)}" if beside else ""


def _known_paths(data: Any, place: Place, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    entries = data if isinstance(data, Mapping) else {}
    children = place.children()
    if place.entry is not None:
        children = {str(key): place.entry for key in entries}
    for key, child in children.items():
        yield (*above, key)
        yield from _known_paths(entries.get(key), child, (*above, key))


@cache
def _fields(section: type[BaseModel]) -> Mapping[str, Place]:
    return {key: _place(field.annotation, field.default) for key, field in section.model_fields.items()}


def _place(annotation: Any, default: Any = PydanticUndefined) -> Place:
    plain = _plain(default)
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        choices = [choice for choice in get_args(annotation) if choice is not NoneType]
        if len(choices) == 1:
            return _place(choices[0], default)
        models = tuple(section for choice in choices if (section := _place(choice).section) is not None)
        return Place("split" if models else "value", choices=models, default=plain)
    if get_origin(annotation) is dict:
        value = get_args(annotation)[1]
        return Place("open", default=plain) if value is Any else Place("entries", entry=_place(value), default=plain)
    if annotation is Any:
        return Place("open", default=plain)
    if annotation is Component:
        return Place("component", default=plain)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Place("section", section=annotation, default=plain)
    return Place("value", default=plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return value.to_mapping()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    return list(value) if isinstance(value, tuple) else value
