"""Archives of run folders, unpacked so that one from anywhere can do no harm."""

import gzip
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from molfound.cache import cache_folder
from molfound.data.manifest import file_sha256
from molfound.data.shards import writing_to
from molfound.errors import MolfoundError
from molfound.model.files import ENSEMBLE_FILE, SPECIFICATION_FILE

ROOM = 64 << 20
"""Bytes that any archive may unpack to."""
EXPANSION = 20
"""Bytes beyond these for each of the archive's own: weights hardly compress, and the JSON beside them is small."""
ENTRIES = 10_000
"""Files and folders in an archive."""

_GZIP = b"\x1f\x8b"
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError)
"""What the readers of archives raise; a ValueError is a number in a header of tar that is none."""


def unpacked(archive: Path) -> Path:
    """Return the run folder in an archive, unpacked once into the cache, under the checksum of the archive.

    Nothing is written outside, and nothing is there until all is. An archive may hold the run's files, or one folder
    with them.

    Args:
        archive: a ``.zip`` or ``.tar.gz`` file, told by its content.

    Raises:
        MolfoundError: no such archive or a damaged one, one that holds anything but plain files and folders within it,
            unpacks to far more than its own size, or has no model in it; or the cache cannot be written.
    """
    folder = cache_folder() / "runs" / file_sha256(archive)[:32]
    if not folder.is_dir():
        with writing_to(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", suffix=".partial", dir=folder.parent) as partial:
                whole = Path(partial) / "run"
                _unpack(archive, whole)
                _run_within(whole, archive)
                _publish(whole, folder)
    return _run_within(folder, archive)


def _unpack(archive: Path, folder: Path) -> None:
    left = ROOM + EXPANSION * archive.stat().st_size
    folder.mkdir()
    try:
        for count, (name, size, content) in enumerate(_files(archive, left)):
            left -= size
            if left < 0 or count == ENTRIES:
                raise _too_large(archive)
            target = folder / _place(name, archive)
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("xb") as file:
                shutil.copyfileobj(content, file)
    except _DAMAGED as error:
        raise MolfoundError(f"{archive} is damaged: {error}; fetch it again") from None
    except FileExistsError:
        raise MolfoundError(f"{archive} is no archive of a run: it holds two files of one name") from None
    except NotImplementedError as error:
        raise MolfoundError(f"{archive} cannot be read ({error}): unpack it and name the folder") from None


def _files(archive: Path, limit: int) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield the name, size and content of each file in an archive."""
    with archive.open("rb") as file:
        is_gzip = file.read(2) == _GZIP
    if is_gzip:
        return _tar_files(archive, limit)
    if zipfile.is_zipfile(archive):
        return _zip_files(archive)
    raise MolfoundError(
        f"{archive} is neither a run folder nor an archive of one (.zip, .tar.gz): name the folder that holds "
        f"{SPECIFICATION_FILE}"
    )


def _zip_files(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _unsafe(archive, entry.filename)
            if entry.flag_bits & 1:
                raise MolfoundError(f"{archive} is encrypted: unpack it and name the folder")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise NotImplementedError(f"{entry.filename!r} in it is compressed by another way than deflate")
            if not entry.is_dir():
                # What is read of a file ends at the size that the archive tells, whatever there is.
                yield entry.filename, entry.file_size, opened.open(entry)


def _tar_files(archive: Path, limit: int) -> Iterator[tuple[str, int, IO[bytes]]]:
    with _BoundedGzip(archive, limit) as stream, tarfile.open(fileobj=stream, mode="r|") as opened:
        for entry in opened:
            if entry.isdir():
                continue
            content = opened.extractfile(entry) if entry.isreg() else None
            if content is None:
                raise _unsafe(archive, entry.name)
            yield entry.name, entry.size, content
        # The checksum of all comes last.
        while stream.read(1 << 16):
            pass


class _BoundedGzip(gzip.GzipFile):
    """A compressed stream that gives no more than so many bytes: a header of tar can be as large as a file."""

    def __init__(self, archive: Path, limit: int) -> None:
        super().__init__(archive)
        self.archive, self.left = archive, limit

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes.

        Raises:
            MolfoundError: there are more bytes than the limit.
        """
        found = super().read(size)
        self.left -= len(found)
        if self.left < 0:
            raise _too_large(self.archive)
        return found


def _place(name: str, archive: Path) -> PurePosixPath:
    """Return where in the folder a file of the archive goes; only names that mean the same everywhere are taken."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or any(character in name for character in "\\:\0"):
        raise _unsafe(archive, name)
    return path


def has_model(folder: Path) -> bool:
    """Return whether a folder is that of a model, or of an ensemble of some."""
    return any((folder / name).is_file() for name in (SPECIFICATION_FILE, ENSEMBLE_FILE))


def holds_model(archive: Path) -> bool:
    """Return whether a file is an archive with a model in it, at the top or in a folder, as `unpacked` takes it."""
    names = (SPECIFICATION_FILE, ENSEMBLE_FILE)
    try:
        with archive.open("rb") as file:
            is_gzip = file.read(2) == _GZIP
        if is_gzip:
            with tarfile.open(archive) as opened:
                found = opened.getnames()
        else:
            with zipfile.ZipFile(archive) as packed:
                found = packed.namelist()
    except _DAMAGED:
        return False
    return any(PurePosixPath(name).name in names and len(PurePosixPath(name).parts) <= 2 for name in found)


def _run_within(folder: Path, archive: Path) -> Path:
    """Return the folder with the model: the one given, or the only one in it that has a model."""
    found = [path for path in (folder, *sorted(folder.iterdir())) if has_model(path)]
    if not found:
        raise MolfoundError(f"{archive} holds no model: there is no {SPECIFICATION_FILE} in it")
    if len(found) > 1 and found[0] != folder:
        raise MolfoundError(f"{archive} holds {len(found)} models: unpack it and name one of its folders")
    return found[0]


def _publish(whole: Path, folder: Path) -> None:
    try:
        whole.rename(folder)
    except OSError:
        # Another process may have been first: its folder is as good.
        if not folder.is_dir():
            raise


def _unsafe(archive: Path, name: str) -> MolfoundError:
    return MolfoundError(f"{archive} is not unpacked: {name!r} in it is a link, or leads out of its folder")


def _too_large(archive: Path) -> MolfoundError:
    return MolfoundError(
        f"{archive} is not unpacked: it holds far more than an archive of its size does; if you trust where it comes "
        "from, unpack it and name the folder"
    )
