"""How far the transfer of a file has come."""

import time

from rich.filesize import decimal
from rich.progress import DownloadColumn, TransferSpeedColumn

from molfound.data.progress import ShownProgress


class TransferProgress(ShownProgress):
    """Counts the bytes of a file.

    Args:
        title: the file's name.
        shown: whether to show anything.
    """

    def __init__(self, title: str, shown: bool) -> None:
        super().__init__(title, (DownloadColumn(), TransferSpeedColumn()), None, shown)
        self.first = 0

    def begin(self, done: int, size: int | None) -> None:
        """Tell how many bytes are there already, and how many there will be, where that is known."""
        self.done = self.first = done
        self.total = size
        self.started = time.monotonic()

    def advance(self, count: int) -> None:
        """Count bytes that have come."""
        self.done += count
        self.show(self._line)

    def _line(self) -> str:
        rate = decimal(int((self.done - self.first) / max(time.monotonic() - self.started, 1e-9)))
        whole = f" of {decimal(self.total)}" if self.total is not None else ""
        return f"{self.title}: {decimal(self.done)}{whole}, {rate}/s"
