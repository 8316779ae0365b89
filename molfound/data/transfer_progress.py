"""How far a file has come: a bar on a terminal, a plain line every few seconds elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from molfound.data.progress import LINE_SECONDS


class TransferProgress:
    """Counts the bytes of a file, on standard error; silent if `shown` is false.

    Args:
        title: the file's name.
        shown: whether to show anything.
    """

    def __init__(self, title: str, shown: bool) -> None:
        self.title, self.shown = title, shown
        self.console = Console(file=sys.stderr)
        self.done = self.first = 0
        self.size: int | None = None
        self.started = self.last_line = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self.shown and self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
            self._bar = Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=self.console)
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, done: int, size: int | None) -> None:
        """Tell how many bytes are there already, and how many there will be, where that is known."""
        self.done = self.first = done
        self.size = size
        self.started = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=size)

    def advance(self, count: int) -> None:
        """Count bytes that have come."""
        self.done += count
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)
        elif self.shown and now - self.last_line >= LINE_SECONDS:
            self.last_line = now
            rate = decimal(int((self.done - self.first) / max(now - self.started, 1e-9)))
            whole = f" of {decimal(self.size)}" if self.size is not None else ""
            self.say(f"{self.title}: {decimal(self.done)}{whole}, {rate}/s")

    def say(self, line: str) -> None:
        """Show a line, above the bar if there is one."""
        if self.shown:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
