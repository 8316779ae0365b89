"""The one safe YAML reader and writer: YAML 1.2 core scalars, no tags, no duplicate keys, bounded in every direction.

Files and override values are read here, before any other library sees them, so that a hostile or mistaken text costs
milliseconds and one clear line.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml import events

from molfound.errors import MolfoundError

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_ALIASES = 100
MAX_WEIGHT = 20_000

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?(?:\.inf|\.Inf|\.INF)")
_NAN = re.compile(r"\.nan|\.NaN|\.NAN")
_OPENS_YAML = tuple("[{\"'!&*")


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        MolfoundError: a file that is missing, empty, too large, not UTF-8, not safe YAML, or not a mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MolfoundError(f"no file '{path}'") from None
    except OSError as error:
        raise MolfoundError(f"'{path}' cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise MolfoundError(f"{path}: larger than {MAX_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MolfoundError(f"{path}: not UTF-8 text (byte {error.start})") from None
    document = read_text(text, source=str(path))
    if document is None:
        raise MolfoundError(f"{path}: the file is empty")
    if not isinstance(document, dict):
        raise MolfoundError(f"{path}: should be a mapping of keys to values, not {described(document)}")
    return document


def read_text(text: str, source: str) -> Any:
    """Return the value of one YAML document: mappings, lists, text, numbers, booleans and None.

    Args:
        text: the document; an empty one is None.
        source: what the text is, for messages.

    Raises:
        MolfoundError: with the line, for anything that is not YAML or not safe: a tag, a duplicate key, a key that is
            not text, a second document, too many aliases, too much depth or size once aliases are expanded.

    Example:
        >>> read_text("{lr: 1e-3, layer: no, time: 12:30, seed: 012, mode: 0o14}", "example")
        {'lr': 0.001, 'layer': 'no', 'time': '12:30', 'seed': 12, 'mode': 12}
    """
    if len(text) > MAX_BYTES:
        raise MolfoundError(f"{source}: larger than {MAX_BYTES:,} characters")
    try:
        return _Composer(yaml.parse(text, Loader=yaml.SafeLoader), source).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise MolfoundError(f"{source}{line}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise MolfoundError(f"{source}: not YAML: {str(error).splitlines()[0]}") from None


def read_value(text: str, source: str) -> Any:
    """Return the value of an override: YAML if it opens with a bracket, a brace or a quote, else one plain scalar.

    So ``a b``, ``a: b`` and ``#3`` are text as they stand, and nothing at all is the empty text.

    Example:
        >>> [read_value(text, "override") for text in ("1e-3", "[1, no]", "null", "", "a: b", "'1'")]
        [0.001, [1, 'no'], None, '', 'a: b', '1']
    """
    stripped = text.strip()
    if stripped.startswith(_OPENS_YAML):
        return read_text(stripped, source)
    if len(stripped) > MAX_BYTES:
        raise MolfoundError(f"{source}: larger than {MAX_BYTES:,} characters")
    return _scalar(stripped, source) if stripped else ""


def write_text(document: Any) -> str:
    """Return a document as YAML that `read_text` reads back equal (and a YAML 1.1 reader too)."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _scalar(text: str, where: str) -> Any:
    """Return what a plain scalar means in the YAML 1.2 core schema."""
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        if len(text) > 100:
            raise MolfoundError(f"{where}: a number of {len(text)} digits")
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float("-inf") if text.startswith("-") else float("inf")
    return float("nan") if _NAN.fullmatch(text) else text


def described(value: Any) -> str:
    """Return a value as a message names it: short, and in YAML's words."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}…{text[-1]}"


@dataclass(frozen=True)
class _Node:
    """A composed value with its weight (nodes, and a hundredth of the characters) and depth, aliases expanded."""

    value: Any
    weight: int
    depth: int


class _Composer:
    """Composes one document from parser events, and refuses it at the first thing that is not safe."""

    def __init__(self, stream: Iterator[events.Event], source: str) -> None:
        self.stream = stream
        self.source = source
        self.anchors: dict[str, _Node | None] = {}
        self.aliases = 0
        self.weight = 0

    def document(self) -> Any:
        next(self.stream)
        if isinstance(next(self.stream), events.StreamEndEvent):
            return None
        node = self.node(next(self.stream), level=1)
        next(self.stream)
        following = next(self.stream)
        if not isinstance(following, events.StreamEndEvent):
            raise self.refusal(following, "a second document in one text")
        return node.value

    def node(self, event: events.Event, level: int) -> _Node:
        if isinstance(event, events.AliasEvent):
            node = self.alias(event)
        else:
            if not isinstance(event, events.ScalarEvent | events.CollectionStartEvent):
                raise TypeError(f"the parser gave {event!r} where a value stands")
            if event.tag is not None:
                raise self.refusal(event, f"tags are not allowed ('{event.tag}')")
            if event.anchor is not None:
                self.anchors[event.anchor] = None
            node = self.fresh(event, level)
            if event.anchor is not None:
                self.anchors[event.anchor] = node
        if level + node.depth - 1 > MAX_DEPTH:
            raise self.refusal(event, f"nested deeper than {MAX_DEPTH} levels")
        return node

    def alias(self, event: events.AliasEvent) -> _Node:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self.refusal(event, f"more than {MAX_ALIASES} aliases")
        if event.anchor not in self.anchors:
            raise self.refusal(event, f"no anchor '&{event.anchor}' before the alias '*{event.anchor}'")
        node = self.anchors[event.anchor]
        if node is None:
            raise self.refusal(event, f"'*{event.anchor}' stands inside what it names")
        self.weigh(event, node.weight)
        return node

    def fresh(self, event: events.Event, level: int) -> _Node:
        if level > MAX_DEPTH:
            raise self.refusal(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, events.ScalarEvent):
            weight = self.weigh(event, 1 + len(event.value) // 100)
            plain = event.implicit[0]
            return _Node(_scalar(event.value, self.place(event)) if plain else event.value, weight, 1)
        self.weigh(event, 1)
        return self.sequence(level) if isinstance(event, events.SequenceStartEvent) else self.mapping(level)

    def sequence(self, level: int) -> _Node:
        items = []
        while not isinstance(event := next(self.stream), events.SequenceEndEvent):
            items.append(self.node(event, level + 1))
        return _collection([item.value for item in items], items)

    def mapping(self, level: int) -> _Node:
        items: dict[str, _Node] = {}
        while not isinstance(event := next(self.stream), events.MappingEndEvent):
            key = self.node(event, level + 1).value
            if isinstance(event, events.ScalarEvent) and event.implicit[0] and key == "<<":
                raise self.refusal(event, "merge keys ('<<') are not YAML 1.2; use 'extends'")
            if not isinstance(key, str):
                raise self.refusal(event, f"a key must be text, not {described(key)}; put it in quotes")
            if key in items:
                raise self.refusal(event, f"the key '{key}' stands twice in one mapping")
            items[key] = self.node(next(self.stream), level + 1)
        return _collection({key: item.value for key, item in items.items()}, items.values())

    def weigh(self, event: events.Event, weight: int) -> int:
        self.weight += weight
        if self.weight > MAX_WEIGHT:
            raise self.refusal(event, f"larger than {MAX_WEIGHT:,} values, aliases expanded")
        return weight

    def place(self, event: events.Event) -> str:
        return self.source if event.start_mark is None else f"{self.source}, line {event.start_mark.line + 1}"

    def refusal(self, event: events.Event, problem: str) -> MolfoundError:
        return MolfoundError(f"{self.place(event)}: {problem}")


def _collection(value: Any, items: Iterable[_Node]) -> _Node:
    nodes = list(items)
    return _Node(value, 1 + sum(node.weight for node in nodes), 1 + max((node.depth for node in nodes), default=0))


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or YAML 1.2 would read as something else, and writes no alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, value: str) -> yaml.ScalarNode:
        style = None if value.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _Dumper.text)
for _tag, _pattern in (("int", _INTEGER), ("float", _FLOAT)):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern.pattern})$"), None)
