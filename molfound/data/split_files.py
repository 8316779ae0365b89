"""Files of row numbers by part: ``.pt``, ``.npz`` and ``.csv``; preparation needs none, and so knows no torch."""

import csv
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from molfound.errors import MolfoundError

ARRAY_GLOBALS: list[Any] = [
    np.ndarray,
    np.dtype,
    np.array(0).__reduce__()[0],
    np.int64(0).__reduce__()[0],
    *(type(np.dtype(kind)) for kind in (np.int64, np.int32, np.int16, np.uint32, np.uint64)),
]

UNPACKED = 100
"""How many times its size a file may unpack to: row numbers in order, compressed, do to five times theirs."""


def read_split_file(path: Path) -> dict[str, NDArray[np.int64]]:
    """Return the row numbers of each part, in the file's order.

    - ``.pt``: a mapping of part to a list, tensor or array; only plain data is unpickled.
    - ``.npz``: an array for each part.
    - ``.csv``: either the columns ``row`` and ``part``, one line per row; or one column of row numbers for each part,
      shorter ones filled up with empty cells. Empty lines are skipped; every other one is as wide as the header.

    Raises:
        MolfoundError: a file that is missing, unreadable, of another kind, holds something other than row numbers, or
            unpacks to more than `UNPACKED` times its size.
    """
    readers = {".pt": _read_pt, ".npz": _read_npz, ".csv": _read_csv}
    if path.suffix not in readers:
        raise MolfoundError(f"split file {path} should end in .pt, .npz or .csv")
    if not path.is_file():
        raise MolfoundError(f"split file not found: {path}")
    _check_unpacked(path)
    parts = readers[path.suffix](path)
    return {str(part): _row_numbers(rows, str(part), path) for part, rows in parts.items()}


def _check_unpacked(path: Path) -> None:
    """Refuse a zip archive, which ``.pt`` and ``.npz`` files are, that would fill the memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:
        return
    if unpacked > UNPACKED * path.stat().st_size:
        raise MolfoundError(f"split file {path} would unpack to {unpacked:,} bytes, over {UNPACKED} times its size")


def _read_pt(path: Path) -> dict[Any, Any]:
    try:
        with torch.serialization.safe_globals(ARRAY_GLOBALS):
            loaded = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file may raise whatever its bytes lead the unpickler to
        raise MolfoundError(f"split file {path} is not a .pt file of plain lists, tensors or arrays") from error
    if not isinstance(loaded, dict):
        raise MolfoundError(f"split file {path} holds a {type(loaded).__name__}, not a mapping of part to row numbers")
    return loaded


def _read_npz(path: Path) -> dict[Any, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {part: archive[part] for part in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise MolfoundError(f"split file {path} is not an .npz file of number arrays") from error


def _read_csv(path: Path) -> dict[Any, Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            numbered = [(reader.line_num, line) for line in reader if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise MolfoundError(f"split file {path} is not CSV text") from error
    names = [name.strip() for name in numbered[0][1]] if numbered else []
    twice = next((name for i, name in enumerate(names) if name and name in names[:i]), None)
    if twice is not None:
        raise MolfoundError(f"split file {path}, line {numbered[0][0]}: two columns named '{twice}'")
    for number, line in numbered:
        if len(line) != len(names):
            raise MolfoundError(f"split file {path}, line {number}: {len(line)} cells under {len(names)} column names")
    lines = [line for _, line in numbered[1:]]
    if set(names) == {"row", "part"}:
        row, part = names.index("row"), names.index("part")
        by_part: dict[str, list[str]] = {}
        for line in lines:
            by_part.setdefault(line[part].strip(), []).append(line[row])
        return by_part
    columns = {name: [line[i] for line in lines] for i, name in enumerate(names) if name}
    return {
        name: [cell for cell in cells if cell.strip().lower() not in ("", "nan")] for name, cells in columns.items()
    }


def _row_numbers(rows: Any, part: str, path: Path) -> NDArray[np.int64]:
    problem = MolfoundError(f"split file {path}: part '{part}' holds something other than row numbers")
    try:
        numbers = np.asarray(rows.numpy() if isinstance(rows, torch.Tensor) else rows)
        numbers = numbers.astype(np.float64) if numbers.dtype.kind in "UO" else numbers
    except (ValueError, TypeError, OverflowError):
        raise problem from None
    if numbers.size == 0:
        return np.empty(0, np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iuf" or not np.array_equal(numbers, np.trunc(numbers)):
        raise problem
    return numbers.astype(np.int64)
