"""Plugins: a user's own Python files whose components register themselves when imported."""

import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molfound.errors import MolfoundError
from molfound.registry import unregister

PREFIX = "molfound_plugin_"  # of a plugin's module, whose name goes on with the beginning of the file's checksum

_modules: dict[Path, str] = {}  # the module that each file was imported as the last time


@dataclass(frozen=True)
class PluginRecord:
    """What a run remembers of a plugin.

    Attributes:
        origin: the file it was trained with.
        copy: the file's name in the run's ``plugins/`` folder.
        sha256: checksum of the file.
    """

    origin: str
    copy: str
    sha256: str


def load_plugin(path: Path) -> None:
    """Import a plugin file, so that its components are registered; the same content is imported only once.

    A file that has changed is imported anew, in place of what it registered before.

    Raises:
        MolfoundError: no such file, or an error inside it (chained, so that its own traceback can be seen).
    """
    if not path.is_file():
        raise MolfoundError(f"plugin not found: {path}")
    digest = checksum(path)
    name = f"{PREFIX}{digest[:16]}"
    file = path.resolve()
    older = _modules.get(file, name)
    _modules[file] = name
    if name in sys.modules:
        return
    if older != name:
        _forget(older)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise MolfoundError(f"plugin is not a Python file: {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        _forget(name)
        raise MolfoundError(f"plugin {path} failed on import: {type(error).__name__}: {error}") from error


def _forget(module: str) -> None:
    sys.modules.pop(module, None)
    unregister(module)


def load_plugins(paths: Iterable[Path]) -> None:
    """Import plugin files in their order."""
    for path in paths:
        load_plugin(path)


def plugin_of(component: Callable[..., Any]) -> str | None:
    """Return the name of the plugin's module that a component was defined in, which tells its content, or None.

    >>> plugin_of(plugin_of) is None
    True
    """
    module = getattr(component, "__module__", None)
    return module if isinstance(module, str) and module.startswith(PREFIX) else None


def keep_plugins(paths: Sequence[Path], folder: Path) -> list[PluginRecord]:
    """Copy plugin files into a run's folder and return what the run remembers of each."""
    records = []
    for number, path in enumerate(paths):
        copy = f"{number:02d}_{path.name}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / copy)
        records.append(PluginRecord(str(path.resolve()), copy, checksum(path)))
    return records


def restore_plugins(records: Sequence[PluginRecord], folder: Path, *, allow_copies: bool) -> list[Path]:
    """Import the plugins of a run, and return the files that were imported.

    A plugin whose original file is still there, unchanged, is the user's own and is imported. The copy in the run's
    folder may come from anyone and is executed only when allowed.

    Raises:
        MolfoundError: an original is gone or changed and copies are not allowed, or a copy does not match its checksum.
    """
    imported = []
    for record in records:
        origin, copy = Path(record.origin), folder / record.copy
        if origin.is_file() and checksum(origin) == record.sha256:
            imported.append(origin)
        elif not allow_copies:
            raise MolfoundError(
                f"the run needs plugin {record.copy}, and {origin} is gone or changed; to execute the copy in "
                f"{folder}, say --allow-plugins (allow_plugins=True in Python) if you trust where the run comes from"
            )
        elif not copy.is_file() or checksum(copy) != record.sha256:
            raise MolfoundError(f"the run's plugin {copy} is missing or is not the file it was trained with")
        else:
            imported.append(copy)
    load_plugins(imported)
    return imported


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
