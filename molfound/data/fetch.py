"""Fetching a dataset's files into the data folder: resumed, verified, never half a file under its own name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from molfound.data.manifest import DataFile, Manifest, file_sha256, find_files
from molfound.data.shards import held, publish, write_atomically
from molfound.data.tables import is_wildcard
from molfound.data.transfer import Source, folder_source, forget_part, transfer, web_source
from molfound.data.transfer_progress import TransferProgress
from molfound.errors import MolfoundError

CHECKSUMS = "checksums.json"
"""In the data folder: the checksum that each file had when it was first fetched or found."""
LOCK = ".fetch.lock"
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".7z", ".rar")

How = Literal["fetched", "copied", "present"]


@dataclass(frozen=True)
class FetchedFile:
    """A file of a dataset that lies, verified, in the data folder.

    Attributes:
        dataset: the dataset's name.
        path: where it lies.
        size: in bytes.
        sha256: its checksum, in hexadecimal digits.
        how: whether it came from the web, from another folder, or was there.
    """

    dataset: str
    path: Path
    size: int
    sha256: str
    how: How


def fetch_dataset(
    manifest: Manifest, root: Path, *, mirror: Path | None = None, shown: bool = True
) -> list[FetchedFile]:
    """Return the files of a dataset, its split files included, after those that are not there have been fetched.

    A file that is there is verified by the manifest's checksum, or by the one that it had the first time, which
    `CHECKSUMS` in the data folder keeps. One that came with another checksum is kept aside, under another name.

    Args:
        manifest: the dataset.
        root: the data folder; files come into the dataset's folder of it.
        mirror: a folder that has the files, itself or in the dataset's folder of it; None: they come from the web.
        shown: whether to show how far it has come, on standard error.

    Raises:
        MolfoundError: a file that has no address, is not there, cannot be reached, has no room, is an archive, has a
            name that leads out of the data folder, or another checksum than it should have.
    """
    files = {file.name: file for file in (*manifest.files, *manifest.split_files.values())}
    sources = {name: _source(manifest, file, root, mirror) for name, file in files.items()}
    if not files:
        return []
    fetched: list[FetchedFile] = []
    say = TransferProgress("", shown).say
    with held(root / LOCK, lambda: say(f"another process fetches into {root}; waiting for it")):
        for name, file in files.items():
            found, source = find_files(name, manifest.folders(root)), sources[name]
            how: How = "present"
            # What was missing may be there by now, if another process had to be waited for.
            if not found and source is not None:
                found = [_brought(source, file, _target(manifest, name, root), root, shown)]
                how = "fetched" if mirror is None else "copied"
            for path in found:
                digest = _verified(path, file, root, None if how == "present" or source is None else source.name)
                fetched.append(FetchedFile(manifest.name, path, path.stat().st_size, digest, how))
    return fetched


def _source(manifest: Manifest, file: DataFile, root: Path, mirror: Path | None) -> Source | None:
    """Return where a file is to come from; None if it is there."""
    _target(manifest, file.name, root)
    for text in (file.name, file.url or ""):
        if text.lower().partition("?")[0].endswith(ARCHIVES):
            raise MolfoundError(f"'{text}' is an archive, which is not unpacked here: name the files that are in it")
    if find_files(file.name, manifest.folders(root)):
        return None
    if is_wildcard(file.name):
        raise MolfoundError(f"'{file.name}' stands for many files, which can only be fetched when named one by one")
    if mirror is not None:
        found = find_files(file.name, manifest.folders(mirror))
        if not found:
            places = " and ".join(map(str, manifest.folders(mirror)))
            raise MolfoundError(f"file '{file.name}' is not in {places}")
        return folder_source(found[0])
    if file.url is None:
        raise MolfoundError(f"file '{file.name}' of dataset '{manifest.name}' has no address; see {manifest.source}")
    return web_source(file.url)


def _target(manifest: Manifest, name: str, root: Path) -> Path:
    """Return where a file is to lie."""
    for text in (manifest.folder or "", name):
        parts = (*PurePosixPath(text).parts, *PureWindowsPath(text).parts)
        if ".." in parts or PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor or "\0" in text:
            raise MolfoundError(f"dataset '{manifest.name}': '{text}' leads out of the data folder")
    return manifest.folders(root)[-1] / name


def _brought(source: Source, file: DataFile, target: Path, root: Path, shown: bool) -> Path:
    """Return the path of a file after it has come from its source, whole and with the right checksum."""
    with TransferProgress(file.name, shown) as progress:
        part = transfer(source, target, progress)
    digest, expected = file_sha256(part), _expected(target, file, root)
    if expected is not None and digest != expected:
        aside = target.with_name(f"{target.name}.wrong-{digest[:8]}")
        publish(part, aside)
        forget_part(target)
        raise MolfoundError(
            f"{source.name} is another file than expected: its sha256 is {digest}, not {expected}; it is kept as "
            f"{aside} and not used"
        )
    publish(part, target)
    forget_part(target)
    return target


def _verified(path: Path, file: DataFile, root: Path, source: str | None) -> str:
    """Return the checksum of a file, which is noted if it is the first time."""
    digest, expected = file_sha256(path), _expected(path, file, root)
    if expected is not None and digest != expected:
        raise MolfoundError(
            f"{path} is another file than expected: its sha256 is {digest}, not {expected}; to fetch it anew, remove it"
        )
    if expected is None:
        entry = {"sha256": digest, "size": path.stat().st_size, "source": source}
        records = {**_records(root), path.relative_to(root).as_posix(): entry}
        write_atomically(root / CHECKSUMS, (json.dumps(records, indent=2, sort_keys=True) + "\n").encode())
    return digest


def _expected(path: Path, file: DataFile, root: Path) -> str | None:
    if file.sha256 is not None:
        return file.sha256.lower()
    known = _records(root).get(path.relative_to(root).as_posix())
    return None if known is None else str(known["sha256"])


def _records(root: Path) -> Mapping[str, Mapping[str, Any]]:
    path = root / CHECKSUMS
    if not path.is_file():
        return {}
    try:
        records = json.loads(path.read_bytes())
        sound = all("sha256" in record for record in records.values())
    except (ValueError, AttributeError, TypeError):
        sound = False
    if not sound:
        raise MolfoundError(f"{path} is damaged: mend it, or remove it to take the files as they are now")
    known: dict[str, dict[str, Any]] = records
    return known
