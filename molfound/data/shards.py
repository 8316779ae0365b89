"""Files of a store: written atomically, checked by size and checksum, of bytes that depend on their content only."""

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from molfound.errors import MolfoundError

COMPRESSION_LEVEL = 9  # of zstd in shards, which are written once and read often
PARTIAL = ".partial"  # ending of a file that is being written
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_SUCH_PLACE = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG)  # a file for a folder, or the reverse
MAY_NOT = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class FileRecord:
    """What the store knows of a file of its own.

    Attributes:
        name: its path within the store's folder.
        size: in bytes.
        checksum: `checksum` of its bytes.
    """

    name: str
    size: int
    checksum: str


class DamagedFileError(MolfoundError):
    """A file of a store that is missing or whose bytes are not those that were written."""


def checksum(content: bytes | memoryview) -> str:
    """Return the 128-bit BLAKE2b checksum of these bytes, in hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that, whatever happens, `path` is absent, what it was before, or complete and on the disk.

    Raises:
        MolfoundError: the disk is full, or the path cannot be written; nothing partial is left.
    """
    with partial_file(path) as partial, partial.open("wb") as file:
        file.write(content)


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Yield the path to write a file at that becomes `path` at the end, complete and on the disk, or is removed.

    Raises:
        MolfoundError: the disk is full, or the path cannot be written; nothing partial is left.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}{PARTIAL}")
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            publish(partial, path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


def publish(partial: Path, path: Path) -> None:
    """Put a finished file on the disk and give it its name, in the same folder."""
    with partial.open("r+b") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    flush_folder(path.parent)


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn a full disk, and a path that may not or cannot be written, into a `MolfoundError` that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise MolfoundError(
                f"the disk is full, writing {path}; what was finished before is kept: free some space and run it again"
            ) from error
        # Of a file that is not there, only a new one of ours is meant: on some file systems nothing can be made.
        ours = error.errno == errno.ENOENT and Path(error.filename or "").parent == path.parent
        if error.errno in (*MAY_NOT, *NO_SUCH_PLACE) or ours:
            raise MolfoundError(f"cannot write {path}: {error.strerror}") from error
        raise


@contextmanager
def held(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file, whose folder is made, as one process at a time can; `waiting` is called if it has to wait.

    Raises:
        MolfoundError: a full disk, or a path that may not be written.
    """
    with writing_to(lock.parent):
        lock.parent.mkdir(parents=True, exist_ok=True)
        held_lock = FileLock(lock)
        try:
            held_lock.acquire(timeout=0)
        except Timeout:
            waiting()
            held_lock.acquire()
    try:
        yield
    finally:
        held_lock.release()


def flush_folder(folder: Path) -> None:
    """Put the folder's entries on the disk, so that a renamed file survives a loss of power."""
    if os.name == "nt":  # where folders cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partials(folder: Path) -> None:
    """Remove what killed writers left under the folder."""
    for partial in folder.rglob(f".*{PARTIAL}"):
        partial.unlink(missing_ok=True)


def shard_bytes(table: pa.Table, metadata: Mapping[str, str]) -> memoryview:
    """Return a table as an Arrow file of one record batch, its buffers compressed by zstd.

    The same content gives the same bytes.

    Args:
        table: the rows; columns are numbers, text, or flat lists of numbers.
        metadata: text kept in the file's schema.
    """
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(
        compression=pa.Codec("zstd", compression_level=COMPRESSION_LEVEL), use_threads=False
    )
    with pa.ipc.new_file(sink, table.schema.with_metadata(dict(metadata)), options=options) as writer:
        writer.write_table(table.combine_chunks())
    return memoryview(sink.getvalue())


def read_shard(content: bytes, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table that a shard's bytes hold, or these columns of it, without its metadata.

    Args:
        content: the bytes, of which `read_checked` has found that they are those that were written.
        path: of the shard, to name it.
        columns: in the order of the table's; the others are not decompressed.

    Raises:
        DamagedFileError: bytes that are no whole Arrow file.
    """
    try:
        schema = shard_schema(content)
        included = None if columns is None else sorted(schema.get_field_index(name) for name in columns)
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=included)
        with pa.ipc.open_file(content, options=options) as reader:
            return reader.read_all().replace_schema_metadata()
    except (pa.ArrowException, OSError) as error:
        raise damaged(path) from error


def shard_schema(content: bytes) -> pa.Schema:
    """Return the schema of a shard, with its metadata."""
    with pa.ipc.open_file(content) as reader:
        return reader.schema


def parquet_bytes(table: pa.Table) -> memoryview:
    """Return a table as a zstd Parquet file: the same bytes for the same content."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3, write_statistics=False)
    return memoryview(sink.getvalue())


def read_checked(folder: Path, record: FileRecord) -> bytes:
    """Return the bytes of a file of the store.

    Raises:
        DamagedFileError: the file is missing, cut short, or its bytes have another checksum.
    """
    path = folder / record.name
    check_size(folder, record)
    content = path.read_bytes()
    if checksum(content) != record.checksum:
        raise damaged(path)
    return content


def check_size(folder: Path, record: FileRecord) -> None:
    """Raise `DamagedFileError` if the file is missing or of another size than recorded."""
    path = folder / record.name
    if not path.is_file() or path.stat().st_size != record.size:
        raise damaged(path)


def damaged(path: Path) -> DamagedFileError:
    """Return the error that names a damaged file and says how to mend it."""
    state = "damaged" if path.is_file() else "missing"
    return DamagedFileError(f"{path} is {state}; prepare the data again (molfound prepare), which rebuilds only that")


def record_of(name: str, content: bytes | memoryview) -> FileRecord:
    """Return the record of a file with this content."""
    return FileRecord(name, len(content), checksum(content))
