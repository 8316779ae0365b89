"""Where shipped configurations and manifests lie, in a checkout and in an installed wheel."""

from pathlib import Path
from typing import Literal

from molfound.errors import MolfoundError, did_you_mean

Kind = Literal["configs", "datasets_manifest"]
SUFFIXES = (".yaml", ".yml")

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(kind: Kind) -> Path:
    """Return the folder of the shipped configurations or dataset manifests.

    In a wheel it lies inside the package (``molfound/_shipped/<kind>``), in a checkout beside it (``<kind>``).
    """
    inside = _PACKAGE / "_shipped" / kind
    return inside if inside.is_dir() else _PACKAGE.parent / kind


def shipped_names(kind: Kind) -> list[str]:
    """Return the names of the shipped files, such as ``toymix/gine``, sorted."""
    folder = shipped_folder(kind)
    files = (path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in files)


def find_shipped(name: str, kind: Kind, folder: Path | None = None) -> Path:
    """Return the file that a path or the name of a shipped file means; a path goes first.

    Args:
        name: a path, or a name under the shipped folder; both with or without ``.yaml``.
        kind: which shipped folder.
        folder: what a relative path is relative to; by default the working directory.

    Raises:
        MolfoundError: there is no such file, with the nearest shipped name; or it is a folder.
    """
    for place in (folder or Path(), shipped_folder(kind)):
        for suffix in ("", *SUFFIXES):
            path = place / f"{name}{suffix}"
            if name and path.is_file():
                return path
    if name and any((place / name).is_dir() for place in (folder or Path(), shipped_folder(kind))):
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
