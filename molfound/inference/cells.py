"""What a model yields for the molecules of a block, as columns of a table: one cell per row of the input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor

from molfound.chem.conformers import ConformerProblem
from molfound.chem.edges import offsets
from molfound.chem.parsing import Rejection
from molfound.errors import MolfoundError


@dataclass
class Cells:
    """Values of one kind for molecules that come batch by batch, in any order.

    A molecule's cell is a number at graph level and a list of numbers elsewhere; where every value has a last axis of
    its own, such as the probabilities of classes, a list in the place of each number.

    Args:
        labels: how many columns there are.
        classes: the length of the last axis, or None where there is none.
        listed: whether a molecule has a list of items.
    """

    labels: int
    classes: int | None
    listed: bool
    _values: list[NDArray[np.float32]] = field(default_factory=list)
    _counts: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, values: Tensor, counts: Tensor) -> None:
        """Add a batch: float ``[R, labels]`` or ``[R, labels, classes]``, and how many of the R each molecule has."""
        self._values.append(values.float().cpu().numpy())
        self._counts.append(counts.cpu().numpy())

    def columns(self, order: NDArray[np.int64], rows: int) -> list[pa.Array]:
        """Return a column per label, with a null where there is no molecule.

        Args:
            order: int64 ``[G]``, the row of each molecule that was added, in that order.
            rows: how many rows there are.
        """
        none = np.zeros((0, self.labels, *(() if self.classes is None else (self.classes,))), np.float32)
        values = np.concatenate(self._values or [none])
        place = np.full(rows, -1, np.int64)
        place[order] = np.arange(len(order))
        taken = pa.array(place, mask=place < 0)
        counts = np.concatenate([np.zeros(0, np.int64), *self._counts])
        by_label = np.ascontiguousarray(np.moveaxis(values, 1, 0))
        return [self._column(label, counts).take(taken) for label in by_label]

    def _column(self, values: NDArray[np.float32], counts: NDArray[np.int64]) -> pa.Array:
        column = pa.array(values.reshape(-1))
        if values.ndim > 1:
            column = _lists(column, np.full(len(values), values.shape[1]))
        return _lists(column, counts) if self.listed else column


@dataclass(frozen=True)
class Output:
    """What a model yields of one name.

    Attributes:
        level: of it.
        labels: what its columns tell something of, a column for each.
        classes: how many numbers stand in the place of one; None: one.
        suffix: of the columns' names, behind the label's: columns of one label stand side by side.
    """

    level: str
    labels: list[str]
    classes: int | None
    suffix: str = ""

    def cells(self) -> Cells:
        """Return the cells, still empty, of a block of molecules."""
        return Cells(len(self.labels), self.classes, listed=self.level != "graph")


def check_names(outputs: Iterable[Output]) -> None:
    """Refuse columns of one name, of which a table would keep the last: a label may end in what deviations do.

    Raises:
        MolfoundError: names them.
    """
    seen: set[str] = set()
    for output in outputs:
        for label in output.labels:
            name = label + output.suffix
            if name in seen:
                raise MolfoundError(
                    f"two columns of the result would be called '{name}': a label, and what is told of another; do "
                    "without intervals and deviations, or ask for other tasks"
                )
            seen.add(name)


def reasons(problems: Sequence[tuple[int, Rejection | ConformerProblem]], rows: int) -> pa.Array:
    """Return a column of why molecules were rejected, or have no coordinates; null where there is no problem.

    Args:
        problems: the number of a row and its problem.
        rows: how many rows there are.
    """
    texts: list[str | None] = [None] * rows
    for position, problem in problems:
        texts[position] = f"{problem.reason}: {problem.detail}" if problem.detail else problem.reason
    return pa.array(texts, pa.string())


def frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as pandas has it.

    A cell that is a list is an array, ``[n]`` or ``[n, classes]``; a missing list or text is None, whatever the version
    of pandas.
    """
    return pd.DataFrame({name: _series(column) for name, column in zip(table.column_names, table.columns, strict=True)})


def _series(column: pa.ChunkedArray) -> Any:
    if pa.types.is_string(column.type):
        return pd.Series(column.to_pylist(), dtype=object)
    if not pa.types.is_list(column.type):
        return column.to_pandas()
    return pd.Series([_array(cell.values) if cell.is_valid else None for cell in column], dtype=object)


def _array(values: pa.Array) -> NDArray[np.float32]:
    if pa.types.is_list(values.type):
        return np.asarray(values.flatten()).reshape(len(values), -1)
    return np.asarray(values)


def _lists(values: pa.Array, counts: NDArray[np.int64]) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets(counts), pa.int32()), values)
