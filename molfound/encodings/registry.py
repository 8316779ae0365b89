"""The registry of encodings, and the way in: from a name and options to the arrays that are stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from molfound.chem.graphs import GraphBlock
from molfound.errors import MolfoundError
from molfound.registry import Registry

Level = Literal["node", "graph"]
Parts = dict[str, npt.NDArray[np.float64]]


@dataclass
class Encoding:
    """A registered encoding: the function that computes it, the level of each of its parts, and its version.

    Args:
        compute: ``(block, *, options) -> {part: float array}``; ``[N, k]`` at node level, ``[G, k]`` at graph level,
            NaN where an entry does not exist.
        parts: level of each part.
        version: to be raised when the same graph yields other bytes than before; part of the store's key.
    """

    compute: Callable[..., Parts]
    parts: Mapping[str, Level]
    version: int

    def __post_init__(self) -> None:
        # The registry reads a component's options from its signature: here, the wrapped function's.
        update_wrapper(self, self.compute)

    def __call__(self, block: GraphBlock, **options: Any) -> Parts:
        """Return the parts of the encoding for all graphs of a block."""
        return self.compute(block, **options)


encodings: Registry[Encoding] = Registry("encoding")


def encoding(
    name: str, *, parts: Mapping[str, Level], version: int = 1
) -> Callable[[Callable[..., Parts]], Callable[..., Parts]]:
    """Return a decorator that registers a function over a block of graphs as the encoding `name`.

    Example:
        >>> @encoding("neighbours_example", parts={"count": "node"})
        ... def neighbours(block: GraphBlock, *, scale: float = 1.0) -> Parts:
        ...     nodes = block.edge_target + np.repeat(block.node_ptr[:-1], np.diff(block.edge_ptr))
        ...     return {"count": scale * np.bincount(nodes, minlength=block.node_count)[:, None]}
        >>> part_levels("neighbours_example"), part_widths("neighbours_example", {"scale": 2.0})
        ({'neighbours_example.count': 'node'}, {'neighbours_example.count': 1})
    """

    def register(compute: Callable[..., Parts]) -> Callable[..., Parts]:
        encodings.register(name)(Encoding(compute, dict(parts), version))
        return compute

    return register


def compute_encoding(name: str, block: GraphBlock, options: Mapping[str, Any]) -> dict[str, npt.NDArray[np.float16]]:
    """Return the parts of an encoding as they are stored: by name (``"laplacian.magnitudes"``), in float16.

    Args:
        name: a registered encoding.
        block: G graphs with N nodes.
        options: the encoding's options; those not given keep their defaults.

    Returns:
        ``[N, k]`` or ``[G, k]`` per part (see `part_levels`), NaN where an entry does not exist.

    Raises:
        MolfoundError: an unknown encoding or option, an option's value that does not fit, or a part that the encoding
            does not give or gives with other than one row per node or graph, whichever its level says.

    Example:
        >>> from molfound.chem import featurize_smiles
        >>> block, _, _ = featurize_smiles(["CO"], [], [])
        >>> compute_encoding("random_walk", block, {"steps": 2})
        {'random_walk.probabilities': array([[0., 1.], [0., 1.]], dtype=float16)}
    """
    parts = encodings.build(name, block, **options)
    rows = {"node": block.node_count, "graph": block.graph_count}
    halves: dict[str, npt.NDArray[np.float16]] = {}
    for part, level in encodings[name].parts.items():
        got = np.shape(parts[part]) if part in parts else None
        if got is None or len(got) != 2 or got[0] != rows[level]:
            given = "missing" if got is None else f"of shape {list(got)}"
            raise MolfoundError(
                f"encoding '{name}': part '{part}' should be of shape [{rows[level]}, k], a row for each {level} of "
                f"this block, and is {given}"
            )
        halves[f"{name}.{part}"] = _half(parts[part])
    return halves


def part_levels(name: str) -> dict[str, Level]:
    """Return the level of each part of an encoding: ``{"laplacian.magnitudes": "node", …}``."""
    return {f"{name}.{part}": level for part, level in encodings[name].parts.items()}


def part_widths(name: str, options: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of columns of each part of an encoding under these options.

    Raises:
        MolfoundError: an unknown encoding or option, or an option's value that does not fit.

    Example:
        >>> part_widths("laplacian", {"pairs": 4})
        {'laplacian.magnitudes': 4, 'laplacian.eigenvalues': 4}
    """
    return {part: array.shape[1] for part, array in compute_encoding(name, _ONE_ATOM, options).items()}


def _half(values: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
    """Return values in float16, free of what renumbering the atoms or another machine's arithmetic may change.

    Numbers that are equal in theory differ by rounding noise, which matters in two places: where the exact value lies
    halfway between two float16 numbers, as fractions such as 2049/4096 do, and at zero, whose noise has either
    sign (-0.0 has other bits than 0.0). Rounding to nine decimals first, a thousandth of the finest step of
    float16 near 0.001, leads both copies to the same number. What is left is an exact value that is within noise of a
    rounding boundary by chance: about one in 10^10 entries.
    """
    halves = np.empty(values.shape, dtype=np.float16)
    # A few rows at a time stay in the processor's cache through all of these passes.
    for first in range(0, len(values), _ROWS_AT_ONCE):
        billionths = np.rint(values[first : first + _ROWS_AT_ONCE] * 1e9)
        billionths *= np.abs(billionths) >= 100
        billionths += 0.0  # turns -0.0 into 0.0
        halves[first : first + _ROWS_AT_ONCE] = billionths * 1e-9
    return halves


_ROWS_AT_ONCE = 1024
_ONE_ATOM = GraphBlock(
    node_ptr=np.array([0, 1]),
    edge_ptr=np.array([0, 0]),
    bond_ptr=np.array([0, 0]),
    node_codes=np.zeros((1, 0), dtype=np.uint8),
    bond_codes=np.zeros((0, 0), dtype=np.uint8),
    edges=np.zeros(0, dtype=np.int64),
)
