"""``${...}``: what may stand in it, how much it may expand to, and its replacement by OmegaConf.

Allowed are the value of another key, ``${data.root}``, and an environment variable with or without a default,
``${oc.env:MOLFOUND_DATA,data}``. What they would expand to is counted before OmegaConf is let near the text.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from molfound.config.documents import MAX_WEIGHT
from molfound.errors import MolfoundError

MAX_CHAIN = 20

Path = tuple[str | int, ...]
_INNERMOST = re.compile(r"\$\{([^${}]*)\}")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*")
_ENVIRONMENT = re.compile(r"oc\.env:\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:,\s*([^,'\"\\]+?)\s*)?")


def interpolated(data: Mapping[str, Any], describe: Callable[[Path], str]) -> dict[str, Any]:
    """Return the mapping with every interpolation replaced by its value.

    Args:
        data: the whole configuration.
        describe: from a path to how a message names it, with the file or override it came from.

    Raises:
        MolfoundError: a key or variable that is not there, a chain that closes on itself or is too long, an expansion
            that is too large, another resolver, or a nested interpolation.
    """
    _Expansion(data, describe).check()
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(dict(data)), resolve=True)
    except OmegaConfBaseException as error:
        key = tuple(str(error.full_key).split(".")) if error.full_key else ()
        raise MolfoundError(f"{describe(key)}: {str(error).splitlines()[0]}") from None
    if not isinstance(resolved, dict):
        raise TypeError(f"OmegaConf gave {type(resolved).__name__} for a mapping")
    return {str(key): value for key, value in resolved.items()}


@dataclass(frozen=True)
class _Cost:
    """What a value costs to expand, in characters with a hundred for each value, and its longest chain."""

    weight: int
    chain: int


class _Expansion:
    """Counts what every interpolation expands to, as OmegaConf would do it: without remembering."""

    def __init__(self, data: Mapping[str, Any], describe: Callable[[Path], str]) -> None:
        self.data = data
        self.describe = describe
        self.costs: dict[Path, _Cost | None] = {}

    def check(self) -> None:
        total = 0
        for path, value in _leaves(self.data, ()):
            total += self.leaf(path, value, depth=0).weight
            if total > 100 * MAX_WEIGHT:
                raise self.refusal(path, f"interpolation expands to more than {MAX_WEIGHT:,} values")

    def leaf(self, path: Path, value: Any, depth: int) -> _Cost:
        if not isinstance(value, str) or "${" not in value:
            return _Cost(100 + (len(value) if isinstance(value, str) else 0), 0)
        if depth > MAX_CHAIN:
            raise self.refusal(path, f"a chain of more than {MAX_CHAIN} interpolations")
        if path not in self.costs:
            self.costs[path] = None
            self.costs[path] = self.text(path, value, depth)
        cost = self.costs[path]
        if cost is None:
            raise self.refusal(path, f"the interpolation '{value}' comes back to itself")
        if depth + cost.chain > MAX_CHAIN:
            raise self.refusal(path, f"a chain of more than {MAX_CHAIN} interpolations")
        return cost

    def text(self, path: Path, value: str, depth: int) -> _Cost:
        rest = _INNERMOST.sub("", value)
        if "${" in rest:
            raise self.refusal(path, f"'{value}' is not text with '${{key}}' in it, each closed and none in another")
        costs = []
        weight = 100 + len(rest)
        for inside in _INNERMOST.findall(value):
            costs.append(self.reference(path, inside.strip(), depth + 1))
            weight += costs[-1].weight
            if weight > 100 * MAX_WEIGHT:
                raise self.refusal(path, f"interpolation expands to more than {MAX_WEIGHT:,} values")
        return _Cost(weight, 1 + max(cost.chain for cost in costs))

    def reference(self, path: Path, inside: str, depth: int) -> _Cost:
        if ":" in inside:
            return self.variable(path, inside)
        if not _KEY.fullmatch(inside):
            raise self.refusal(path, f"'${{{inside}}}' names no key; a key is written whole, such as ${{data.root}}")
        target = tuple(inside.split("."))
        value: Any = self.data
        for key in target:
            if not isinstance(value, Mapping) or key not in value:
                known = [".".join(map(str, leaf)) for leaf, _ in _leaves(self.data, ())]
                near = get_close_matches(inside, known, n=1)
                mended = f"; did you mean '${{{near[0]}}}'?" if near else ""
                raise self.refusal(path, f"'${{{inside}}}' names no key that is set{mended}")
            value = value[key]
        costs = [self.leaf(leaf, content, depth) for leaf, content in _leaves(value, target)]
        return _Cost(sum(cost.weight for cost in costs), max((cost.chain for cost in costs), default=0))

    def variable(self, path: Path, inside: str) -> _Cost:
        match = _ENVIRONMENT.fullmatch(inside)
        if match is None:
            raise self.refusal(path, f"'${{{inside}}}' is not allowed; only ${{key}} and ${{oc.env:VARIABLE,default}}")
        name, default = match.groups()
        value = os.environ.get(name, default)
        if value is None:
            raise self.refusal(path, f"the environment variable '{name}' is not set, and no default is given")
        if "${" in value:
            raise self.refusal(path, f"the environment variable '{name}' holds an interpolation")
        return _Cost(100 + len(value), 0)

    def refusal(self, path: Path, problem: str) -> MolfoundError:
        return MolfoundError(f"{self.describe(path)}: {problem}")


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    else:
        yield path, value
