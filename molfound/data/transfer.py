"""Files from the web or from another folder, continued where a transfer was cut."""

import http.client
import io
import json
import os
import shutil
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from rich.filesize import decimal

from molfound import __version__
from molfound.data.shards import write_atomically, writing_to
from molfound.data.transfer_progress import TransferProgress
from molfound.errors import MolfoundError

CHUNK = 1 << 20  # bytes
TIMEOUT = 60.0  # seconds without a byte
WAITS = (1.0, 4.0, 16.0)  # seconds before trying again
PART = ".part"
GONE = (404, 410)
PASSING = (408, 425, 429)  # as 500 and above are
FROM_A_FOLDER = "a copy that lies elsewhere is taken with --from FOLDER"


class TransferCutError(Exception):
    """The bytes stopped coming before the end, or the server said to come again."""


@dataclass(frozen=True)
class Opened:
    """A file that is being read.

    Attributes:
        stream: its bytes from `start` on.
        start: how many bytes are left out.
        size: of the whole file, where known.
        version: what changes with the file's content, where known.
    """

    stream: IO[bytes]
    start: int
    size: int | None
    version: str | None


@dataclass(frozen=True)
class Source:
    """Where a file comes from.

    Attributes:
        name: its address, or its path.
        open: ``open(start, version)``: the file from `start` on, or all of it if its version is another one by now.
    """

    name: str
    open: Callable[[int, str | None], AbstractContextManager[Opened]]


def web_source(url: str) -> Source:
    """Return a file on the web.

    Raises:
        MolfoundError: an address that is not of http or https.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise MolfoundError(f"{url} cannot be fetched: only http and https can")
    return Source(url, partial(_open_url, url))


def folder_source(path: Path) -> Source:
    """Return a file of another folder."""
    return Source(str(path), partial(_open_path, path))


def transfer(source: Source, target: Path, progress: TransferProgress, waits: Sequence[float] = WAITS) -> Path:
    """Return the path beside `target`, ending in ``.part``, where all bytes of the source lie, on the disk.

    What an earlier transfer left there is continued if the source still has that version of the file. A transfer that
    is cut is tried again.

    Args:
        source: where it comes from.
        target: what it will be called.
        progress: is told how far it has come.
        waits: seconds to wait before each further try.

    Raises:
        MolfoundError: no network, no such file, no room for it, or a connection that broke too often; what has come by
            then stays for the next time.
    """
    part = target.with_name(target.name + PART)
    with writing_to(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    for wait in (*waits, None):
        try:
            _continue(source, part, progress)
            return part
        except TransferCutError as error:
            if wait is None:
                raise MolfoundError(f"{error}; what has come is kept: run it again to go on from there") from error
            progress.say(f"{error}; trying again in {wait:g} s")
            time.sleep(wait)
    raise AssertionError("the last wait is None")


def forget_part(target: Path) -> None:
    """Remove what tells of the version of a transfer that is over."""
    _note(target.with_name(target.name + PART)).unlink(missing_ok=True)


def _continue(source: Source, part: Path, progress: TransferProgress) -> None:
    version = _version(part, source)
    start = part.stat().st_size if version is not None and part.is_file() else 0
    with writing_to(part), source.open(start, version) as opened:
        _check_room(part, opened)
        write_atomically(_note(part), json.dumps({"source": source.name, "version": opened.version}).encode())
        progress.begin(opened.start, opened.size)
        with part.open("ab" if opened.start else "wb") as file:
            while chunk := _read(source, opened.stream):
                file.write(chunk)
                progress.advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if opened.size is not None and progress.done != opened.size:
        raise TransferCutError(f"{source.name} ended after {progress.done:,} of {opened.size:,} bytes")


def _read(source: Source, stream: IO[bytes]) -> bytes:
    try:
        return stream.read(CHUNK)
    except (http.client.HTTPException, OSError) as error:
        # Not left to who writes: an error of the connection may have the number of one of the disk's.
        raise TransferCutError(f"reading {source.name} broke off ({error or type(error).__name__})") from error


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _version(part: Path, source: Source) -> str | None:
    """Return the version of the file whose first bytes lie in `part`, None if that is not known."""
    try:
        known = json.loads(_note(part).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    same = isinstance(known, dict) and known.get("source") == source.name
    version = known.get("version") if same else None
    return version if isinstance(version, str) else None


def _check_room(part: Path, opened: Opened) -> None:
    missing = (opened.size or 0) - opened.start
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise MolfoundError(f"{part.parent} has no room: {decimal(missing)} are to come, {decimal(free)} are free")


@contextmanager
def _open_path(path: Path, start: int, version: str | None) -> Iterator[Opened]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise MolfoundError(f"cannot read {path}: {error.strerror}") from error
    with file:
        status = os.fstat(file.fileno())
        present = f"{status.st_size} {status.st_mtime_ns}"
        begin = start if version == present and start <= status.st_size else 0
        file.seek(begin)
        yield Opened(file, begin, status.st_size, present)


@contextmanager
def _open_url(url: str, start: int, version: str | None) -> Iterator[Opened]:
    headers = {"User-Agent": f"molfound/{__version__}", "Accept-Encoding": "identity"}
    if start and version is not None:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            whole = _whole_size(error.headers.get("Content-Range"))
            if error.code != 416 or whole != start:
                raise _answered(url, error) from error
            yield Opened(io.BytesIO(), start, whole, version)
        return
    except (http.client.HTTPException, OSError) as error:
        raise _unreached(url, error) from error
    with answer:
        continued = answer.status == 206
        size = _whole_size(answer.headers.get("Content-Range")) if continued else answer.length
        present = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        # A weak tag may stand for other bytes, and a server may not continue by it.
        sound = None if present is None or present.startswith("W/") else present
        yield Opened(answer, start if continued else 0, size, sound)


def _whole_size(content_range: str | None) -> int | None:
    whole = (content_range or "").rpartition("/")[2]
    return int(whole) if whole.isdecimal() else None


def _answered(url: str, error: urllib.error.HTTPError) -> Exception:
    said = f"HTTP {error.code} {error.reason}".strip()
    if error.code in GONE:
        return MolfoundError(f"{url} is not there ({said}); {FROM_A_FOLDER}")
    if error.code in PASSING or error.code >= 500:
        return TransferCutError(f"{url} is not to be had now ({said})")
    return MolfoundError(f"{url} is refused ({said}); {FROM_A_FOLDER}")


def _unreached(url: str, error: Exception) -> Exception:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text = (reason.strerror if isinstance(reason, OSError) else None) or str(reason) or type(reason).__name__
    host = urllib.parse.urlsplit(url).netloc
    if isinstance(reason, socket.gaierror | ConnectionRefusedError) or not isinstance(reason, OSError):
        return MolfoundError(f"cannot reach {host} ({text}): is there a network? {FROM_A_FOLDER}")
    return TransferCutError(f"cannot reach {host} ({text})")
