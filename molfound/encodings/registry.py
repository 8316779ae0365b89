"""The registry of encodings, and the way in: from a name and options to the arrays that are stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from molfound.chem.graphs import GraphStructure
from molfound.errors import MolfoundError
from molfound.registry import Registry

Level = Literal["node", "graph"]
Parts = dict[str, npt.NDArray[np.float64]]


@dataclass
class Encoding:
    """A registered encoding: the function that computes it, the level of each of its parts, and its version.

    Args:
        compute: ``(block, *, options) -> {part: float array}``; ``[N, k]`` at node level, ``[G, k]`` at graph level,
            NaN where an entry does not exist. Each k depends on the options alone. The block has the structure of the
            graphs and no codes, for which features are stored is no matter of an encoding's.
        parts: level of each part.
        version: to be raised when the same graph yields other bytes than before; part of the store's key.
    """

    compute: Callable[..., Parts]
    parts: Mapping[str, Level]
    version: int

    def __post_init__(self) -> None:
        # The registry reads a component's options from its signature: here, the wrapped function's.
        update_wrapper(self, self.compute)

    def __call__(self, block: GraphStructure, **options: Any) -> Parts:
        """Return the parts of the encoding for all graphs of a block."""
        return self.compute(block, **options)


encodings: Registry[Encoding] = Registry("encoding")


def encoding(
    name: str, *, parts: Mapping[str, Level], version: int = 1
) -> Callable[[Callable[..., Parts]], Callable[..., Parts]]:
    """Return a decorator that registers a function over a block of graphs as the encoding `name`.

    The function is given the structure of the graphs alone: reading their codes raises `MolfoundError`.

    Example:
        >>> @encoding("neighbours_example", parts={"count": "node"})
        ... def neighbours(block: GraphStructure, *, scale: float = 1.0) -> Parts:
        ...     nodes = block.edge_target + np.repeat(block.node_ptr[:-1], np.diff(block.edge_ptr))
        ...     return {"count": scale * np.bincount(nodes, minlength=block.node_count)[:, None]}
        >>> part_levels("neighbours_example"), part_widths("neighbours_example", {"scale": 2.0})
        ({'neighbours_example.count': 'node'}, {'neighbours_example.count': 1})
    """

    def register(compute: Callable[..., Parts]) -> Callable[..., Parts]:
        encodings.register(name)(Encoding(compute, dict(parts), version))
        return compute

    return register


def compute_encoding(
    name: str, block: GraphStructure, options: Mapping[str, Any]
) -> dict[str, npt.NDArray[np.float16]]:
    """Return the parts of an encoding as they are stored: by name (``"laplacian.magnitudes"``), in float16.

    Args:
        name: a registered encoding.
        block: G graphs with N nodes; the encoding is given their structure alone.
        options: the encoding's options; those not given keep their defaults.

    Returns:
        ``[N, k]`` or ``[G, k]`` per part (see `part_levels`), NaN where an entry does not exist.

    Raises:
        MolfoundError: an unknown encoding or option, an option's value that does not fit, an encoding that reads codes,
            or a part that the encoding does not give, gives with other than one row per node or graph, whichever its
            level says, or of another width than `part_widths` tells, or with a value that float16 cannot hold.

    Example:
        >>> from molfound.chem import featurize_smiles
        >>> block, _, _ = featurize_smiles(["CO"], [], [])
        >>> compute_encoding("random_walk", block, {"steps": 2})
        {'random_walk.probabilities': array([[0., 1.], [0., 1.]], dtype=float16)}
    """
    parts, widths = _computed(name, block, options), part_widths(name, options)
    for part, values in parts.items():
        if values.shape[1] != widths[part]:
            raise MolfoundError(
                f"encoding part '{part}' is {values.shape[1]} wide here and {widths[part]} wide for a lone atom: a "
                "width may depend on the options alone"
            )
    halves = {part: _half(values) for part, values in parts.items()}
    for part, values in halves.items():
        if (infinite := np.isinf(values)).any():
            raise MolfoundError(
                f"encoding part '{part}' has the value {parts[part][infinite][0]:g}: it is stored in float16, whose "
                f"largest number is {np.finfo(np.float16).max:g}"
            )
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
    return {part: values.shape[1] for part, values in _computed(name, _ONE_ATOM, options).items()}


@dataclass(frozen=True, kw_only=True)
class _Uncoded(GraphStructure):
    """Graphs as the encoding of this name is given them.

    Which codes a block has depends on who asks for the encoding, on which what is stored must not.
    """

    encoding: str

    @property
    def node_codes(self) -> NoReturn:
        """Refuse to have codes."""
        raise self._refusal("node_codes")

    @property
    def bond_codes(self) -> NoReturn:
        """Refuse to have codes."""
        raise self._refusal("bond_codes")

    def _refusal(self, codes: str) -> MolfoundError:
        return MolfoundError(
            f"encoding '{self.encoding}' reads {codes}: an encoding is given the structure of graphs alone"
        )


def _computed(name: str, block: GraphStructure, options: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the parts as the encoding gives them, by their whole names, each with a row for all of its level."""
    structure = _Uncoded(
        encoding=name, node_ptr=block.node_ptr, edge_ptr=block.edge_ptr, bond_ptr=block.bond_ptr, edges=block.edges
    )
    parts = encodings.build(name, structure, **options)
    rows = {"node": block.node_count, "graph": block.graph_count}
    found: dict[str, npt.NDArray[Any]] = {}
    for part, level in encodings[name].parts.items():
        values = np.asarray(parts[part]) if part in parts else None
        if values is None or values.ndim != 2 or len(values) != rows[level]:
            given = "missing" if values is None else f"of shape {list(values.shape)}"
            raise MolfoundError(
                f"encoding '{name}': part '{part}' should be of shape [{rows[level]}, k], a row for each {level} of "
                f"this block, and is {given}"
            )
        found[f"{name}.{part}"] = values
    return found


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
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        for first in range(0, len(values), _ROWS_AT_ONCE):
            billionths = np.rint(values[first : first + _ROWS_AT_ONCE] * 1e9)
            billionths *= np.abs(billionths) >= 100
            billionths += 0.0  # turns -0.0 into 0.0
            halves[first : first + _ROWS_AT_ONCE] = billionths * 1e-9
    return halves


_ROWS_AT_ONCE = 1024
_ONE_ATOM = GraphStructure(
    node_ptr=np.array([0, 1]),
    edge_ptr=np.array([0, 0]),
    bond_ptr=np.array([0, 0]),
    edges=np.zeros(0, dtype=np.int64),
)
