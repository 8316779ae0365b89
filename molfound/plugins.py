"""Plugins: a user's own Python files whose components register themselves when imported."""

import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molfound.cache import cache_folder
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

    A plugin whose original file is still there, unchanged, is the user's own and is imported. What is in the run's
    folder may come from anyone, the record of an original too: the copy is executed only when allowed, and no file in
    the folder of the run, of the ensemble that it is a member of, or of unpacked archives counts as an original.

    Args:
        records: what the run remembers of them.
        folder: of the copies, ``plugins/`` in the run's folder.
        allow_copies: whether copies may be executed.

    Raises:
        MolfoundError: an original is gone or changed and copies are not allowed, or a copy does not match its checksum.
    """
    imported = []
    for record in records:
        origin, copy = Path(record.origin), folder / record.copy
        is_own = _is_own(origin, folder.parent)
        if is_own and checksum(origin) == record.sha256:
            imported.append(origin)
        elif not allow_copies:
            problem = "is gone or changed" if is_own or not origin.is_file() else "is not known to be yours"
            raise MolfoundError(
                f"the run needs plugin {record.copy}, and {origin} {problem}; to execute the copy in "
                f"{folder}, say --allow-plugins (allow_plugins=True in Python) if you trust where the run comes from"
            )
        elif not copy.is_file() or checksum(copy) != record.sha256:
            raise MolfoundError(f"the run's plugin {copy} is missing or is not the file it was trained with")
        else:
            imported.append(copy)
    load_plugins(imported)
    return imported


def check_own(paths: Iterable[Path], run: Path) -> None:
    """Refuse plugins that a run's configuration names and that may have come with it.

    Args:
        paths: of the plugins.
        run: the run's folder.

    Raises:
        MolfoundError: names the first that is not there, or lies in the folder of the run or of its ensemble.
    """
    for path in paths:
        if not _is_own(path.resolve(), run):
            raise MolfoundError(
                f"{run} names the plugin {path}, which is not there or is not known to be yours; say --allow-plugins "
                "(allow_plugins=True in Python) if you trust where the run comes from"
            )


def _is_own(origin: Path, run: Path) -> bool:
    """Return whether a file that a run names is there and may be the user's: whoever has made the run could name any.

    Neither what is in the run's folder, or that of its ensemble, is the user's, nor what has come in another archive.
    """
    # A relative path, and a link such as /proc/self/cwd, would lead to wherever the run was put.
    if not (origin.is_absolute() and origin.is_file() and origin.resolve() == origin):
        return False
    run = run.resolve()
    foreign = [run, *(folder for folder in run.parents if (folder / "ensemble.json").is_file())]
    foreign += [cache_folder()] if cache_folder().is_dir() else []
    # Not by their names, which may differ in case alone.
    return not any(parent.samefile(folder) for parent in origin.parents for folder in foreign)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
