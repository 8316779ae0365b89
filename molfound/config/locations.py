"""Where shipped configurations and manifests lie, in a checkout and in an installed wheel."""

import os
from pathlib import Path
from typing import Literal

from molfound.errors import MolfoundError, did_you_mean

Kind = Literal["configs", "configs/suites", "configs/sweeps", "datasets_manifest"]
SUFFIXES = (".yaml", ".yml")

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(kind: Kind) -> Path:
    """Return the folder of the shipped configurations, benchmark suites, sweeps or dataset manifests.

    In a wheel it lies inside the package (``molfound/_shipped/<kind>``), in a checkout beside it (``<kind>``).
    """
    inside = _PACKAGE / "_shipped" / kind
    return inside if inside.is_dir() else _PACKAGE.parent / kind


def shipped_names(kind: Kind) -> list[str]:
    """Return the names of the shipped files, such as ``toymix/gine``, sorted."""
    folder = shipped_folder(kind)
    files = (path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in files)


def data_folder() -> str:
    """Return the folder of the datasets' files where nothing else names it: ``$MOLFOUND_DATA``, or ``data``.

    Raises:
        MolfoundError: the variable holds ``${``, which a configuration would take for an interpolation.
    """
    folder = os.environ.get("MOLFOUND_DATA") or "data"
    if "${" in folder:
        raise MolfoundError(f"the environment variable 'MOLFOUND_DATA' holds an interpolation: '{folder}'")
    return folder


def find_shipped(name: str, kind: Kind, folder: Path | None = Path()) -> Path:
    """Return the file that a path or the name of a shipped file means; a path goes first.

    Args:
        name: a path, or a name under the shipped folder; both with or without ``.yaml``.
        kind: which shipped folder.
        folder: what a relative path is relative to; None where only the name of a shipped file is meant.

    Raises:
        MolfoundError: there is no such file, with the nearest shipped name; or it is a folder, or cannot be read.
    """
    places = (shipped_folder(kind),) if folder is None else (folder, shipped_folder(kind))
    try:
        for path in (place / f"{name}{suffix}" for place in places for suffix in ("", *SUFFIXES)):
            if name and path.is_file():
                return path
        is_folder = name != "" and any((place / name).is_dir() for place in places)
    except OSError as error:
        shown = name if len(name) <= 80 else f"{name[:79]}…"
        raise MolfoundError(f"no file '{shown}': {error.strerror}") from None
    if is_folder:
        raise MolfoundError(f"'{name}' is a folder, not a file{_within(name, kind)}")
    stem = name.removesuffix(".yaml").removesuffix(".yml")
    near = did_you_mean(stem, shipped_names(kind))
    raise MolfoundError(f"no file '{name}' and nothing of that name under {kind}/{near}")


def find_config(name: str) -> Path:
    """Return the file that a path or a name under ``configs/`` means.

    Raises:
        MolfoundError: there is none, with the nearest name.
    """
    return find_shipped(name, "configs")


def _within(name: str, kind: Kind) -> str:
    inside = [shipped for shipped in shipped_names(kind) if shipped.startswith(f"{name.rstrip('/')}/")]
    return f"; in it: {', '.join(inside)}" if inside else ""
