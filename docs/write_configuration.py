"""Write ``docs/configuration.md``, the reference of every configuration key, from the schema."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from molfound.config import Component, Experiment
from molfound.config.schema import Section
from molfound.data.manifest import Manifest

PAGE = Path(__file__).parent / "configuration.md"
HEAD = """# Configuration reference

Every key of an experiment, made from the schema by `docs/write_configuration.py`. `molfound config show CONFIG` prints
what is in force. How files extend each other and what overrides look like is told by `molfound.config.load_config`.
NAME stands for a name of one's own. A component is its registered name, or `{name: NAME, option: value, ...}`.
"""
TABLE = """
| key | value | default | meaning |
|---|---|---|---|
"""
MANIFEST = """
## Manifests of datasets

Keys of a manifest, which says what a dataset's table holds; see [a dataset of your own](guide/custom_dataset.md).
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


def page() -> str:
    """Return the page's text."""
    sections = groupby(rows(Experiment, ""), key=heading_of)
    return (
        HEAD + "".join(table(heading, found) for heading, found in sections) + MANIFEST + table("", rows(Manifest, ""))
    )


def table(heading: str, found: Iterable[tuple[str, str, str, str]]) -> str:
    """Return keys as a table, under a heading if there is one."""
    return (f"\n## {heading}\n" if heading else "") + TABLE + "".join(f"| {' | '.join(row)} |\n" for row in found)


def heading_of(row: tuple[str, str, str, str]) -> str:
    """Return the heading under which a key stands: its section, or that of what is in none.

    >>> heading_of(("`data.root`", "text", "`data`", "")), heading_of(("`seed`", "integer", "`42`", ""))
    ('data', 'The experiment')
    """
    section, *inside = row[0].strip("`").split(".")
    return section if inside or "section" in row[1] or "NAME" in row[1] else "The experiment"


def rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, value, default and meaning of each field; a section's fields follow it."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        sections = [part for part in parts(field.annotation) if isinstance(part, type) and issubclass(part, Section)]
        default = "" if sections and not is_empty(field) else shown_default(field)
        yield f"`{key}`", value_of(field.annotation), default, meaning(field)
        if len(sections) == 1:
            named = ".NAME" if any(get_origin(part) is dict for part in parts(field.annotation)) else ""
            yield from rows(sections[0], f"{key}{named}.")


def parts(annotation: Any) -> list[Any]:
    """Return an annotation and all that it is made of."""
    return [annotation, *(part for argument in get_args(annotation) for part in parts(argument))]


def value_of(annotation: Any) -> str:
    """Return in a few words what may stand there."""
    found = parts(annotation)
    choices = [str(choice) for part in found if get_origin(part) is Literal for choice in get_args(part)]
    names = {str: "text", int: "integer", float: "number", bool: "true or false", Component: "component"}
    words = [word for kind, word in names.items() if kind in found]
    words = [", ".join([*words, *choices])] if choices else words
    if any(isinstance(part, type) and issubclass(part, Section) for part in found):
        words = ["section"] if "text" not in words or dict in map(get_origin, found) else ["name or section"]
    mappings = sum(get_origin(part) is dict for part in found)
    if mappings > 1:
        words = ["options per NAME"]
    elif mappings:
        words = [f"{words[-1] if words else 'value'} per NAME"]
    if tuple in map(get_origin, found):
        words = [f"list of: {words[0]}"]
    return " or ".join(words + (["null"] if type(None) in found else []))


def is_empty(field: FieldInfo) -> bool:
    """Return whether a field defaults to nothing or must be given."""
    return field.is_required() or not field.get_default(call_default_factory=True)


def shown_default(field: FieldInfo) -> str:
    """Return a field's default as YAML has it in one line."""
    return "must be given" if field.is_required() else f"`{shown(field.get_default(call_default_factory=True))}`"


def shown(value: Any) -> str:
    """Return a value as YAML has it in one line."""
    match value:
        case None:
            return "null"
        case "":
            return "''"
        case bool():
            return str(value).lower()
        case Component():
            return shown(value.to_mapping())
        case tuple() | list():
            return f"[{', '.join(shown(item) for item in value)}]"
        case Mapping():
            return f"{{{', '.join(f'{key}: {shown(item)}' for key, item in value.items())}}}"
    return str(value)


def meaning(field: FieldInfo) -> str:
    """Return a field's description in one line."""
    return " ".join((field.description or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
