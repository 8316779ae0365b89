"""A temporary file for what passes a bound of memory, which goes with whoever made it."""

import tempfile
import weakref
from typing import IO

from molfound.data.shards import DISK_FULL
from molfound.errors import MolfoundError


class ScratchFile:
    """Bytes written one after the other and read from anywhere, in the folder that TMPDIR names.

    The file has no name where the system allows that. It goes with this object or with the process, whatever ends them.

    Example:
        >>> scratch = ScratchFile()
        >>> scratch.append(memoryview(b"first")), scratch.append(memoryview(b"second"))
        (0, 5)
        >>> into = bytearray(6)
        >>> scratch.read_into(memoryview(into), offset=5)
        >>> into
        bytearray(b'second')
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0, prefix="molfound-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def append(self, content: memoryview) -> int:
        """Write bytes at the end, and return where they begin.

        Raises:
            MolfoundError: the disk is full.
        """
        try:
            offset = self._file.seek(0, 2)
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise MolfoundError(
                f"the disk is full, writing predictions to a temporary file in {tempfile.gettempdir()}: name a folder "
                "with more space in the environment variable TMPDIR, or raise training.metrics_mib"
            ) from error
        return offset

    def read_into(self, content: memoryview, *, offset: int) -> None:
        """Fill `content`, writable bytes, with what was written at `offset`.

        Raises:
            EOFError: so much was not written.
        """
        self._file.seek(offset)
        while content:
            read = self._file.readinto(content)  # type: ignore[attr-defined]
            if not read:
                raise EOFError(f"{len(content)} bytes are missing from a temporary file")
            content = content[read:]
