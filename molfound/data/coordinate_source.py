"""Where a dataset's coordinates come from: of which columns, and by what recipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from molfound.chem.conformers import CONFORMER_VERSION
from molfound.chem.drawings import DRAWING_VERSION
from molfound.config.schema import ConformersConfig
from molfound.data.manifest import Manifest
from molfound.data.table_files import MOLFILE
from molfound.data.tables import Table
from molfound.errors import MolfoundError


@dataclass(frozen=True)
class CoordinateSource:
    """What the coordinates of a family depend on.

    Attributes:
        columns: of the table, beyond the SMILES.
        recipe: ``source`` (``generated``, ``drawn``, ``cxsmiles``, ``molfile`` or ``list``) and what else changes the
            result.
    """

    columns: tuple[str, ...]
    recipe: Mapping[str, Any]


DRAWINGS = CoordinateSource((), {"source": "drawn", "drawings": DRAWING_VERSION})


def coordinate_source(manifest: Manifest, conformers: ConformersConfig, table: Table) -> CoordinateSource:
    """Return where the coordinates of a dataset come from.

    Raises:
        MolfoundError: the manifest names no coordinates, or columns that are not there or hold something else.
    """
    version = {"conformers": CONFORMER_VERSION}
    if conformers.source == "generated":
        options = conformers.model_dump(exclude={"source", "hang_seconds", "drawn"})
        recipe = {"source": "generated", "options": options, "hang_seconds": conformers.hang_seconds}
        return CoordinateSource((), {**version, **recipe})
    if conformers.source == "drawn":
        return DRAWINGS
    given = manifest.coordinates
    if given is None:
        raise MolfoundError(
            f"dataset '{manifest.name}' brings no coordinates along (its manifest has no 'coordinates'); "
            "data.conformers.source: generated makes some"
        )
    columns = (given.column, *([] if given.atomic_numbers is None else [given.atomic_numbers]))
    table.require(columns)
    if given.column == manifest.smiles:
        return CoordinateSource((), {**version, "source": "cxsmiles"})
    kind = table.types[given.column]
    if pa.types.is_string(kind) and given.atomic_numbers is None:
        return CoordinateSource((given.column,), {**version, "source": "molfile"})
    if table.is_sdf and given.column == MOLFILE:
        raise MolfoundError(
            f"column '{given.column}' holds Molfiles, which tell their elements: leave out coordinates.atomic_numbers"
        )
    if not pa.types.is_string(kind) and not _holds_numbers(kind):
        raise MolfoundError(f"column '{given.column}' holds {kind}, no lists of coordinates, Molfiles or CXSMILES")
    if given.atomic_numbers is not None and not _holds_integers(table.types[given.atomic_numbers]):
        raise MolfoundError(
            f"column '{given.atomic_numbers}' holds {table.types[given.atomic_numbers]}, no lists of atomic numbers"
        )
    return CoordinateSource(columns, {**version, "source": "list"})


def _holds_numbers(kind: pa.DataType) -> bool:
    if not pa.types.is_list(kind):
        return False
    item = kind.value_type.value_type if pa.types.is_list(kind.value_type) else kind.value_type
    return bool(pa.types.is_floating(item) or pa.types.is_integer(item))


def _holds_integers(kind: pa.DataType) -> bool:
    """Return whether a column of this type may hold lists of whole numbers; text may, as JSON."""
    return bool(pa.types.is_string(kind) or (pa.types.is_list(kind) and pa.types.is_integer(kind.value_type)))
