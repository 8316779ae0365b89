"""How far long work has come: a bar on a terminal, a plain line every few seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

LINE_SECONDS = 5.0


class ShownProgress:
    """Shows how far something has come, on standard error; silent if `shown` is false.

    Args:
        title: what is being done.
        columns: of the bar, the title before them and the time that is left behind them.
        total: how much there is to do, if it is known.
        shown: whether to show anything.
    """

    def __init__(self, title: str, columns: Sequence[ProgressColumn], total: int | None, shown: bool) -> None:
        self.title, self.total, self.shown = title, total, shown
        self.done = 0
        self.started = self._last_line = time.monotonic()
        self._console = Console(file=sys.stderr)
        self._columns = (TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn())
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self.shown and self._console.is_terminal:
            self._bar = Progress(*self._columns, console=self._console)
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, rate="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, line: Callable[[], str], **fields: Any) -> None:
        """Move the bar to what is done, or say the line where there is no bar and the last one is some seconds old."""
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, total=self.total, **fields)
        elif self.shown and now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            self.say(line())

    def say(self, line: str) -> None:
        """Show a line, above the bar if there is one."""
        if self.shown:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class MoleculeProgress(ShownProgress):
    """Counts molecules as they are done.

    Args:
        title: what is being done.
        total: about how many molecules there are.
        shown: whether to show anything.
    """

    total: int

    def __init__(self, title: str, total: int, shown: bool = True) -> None:
        columns = (TaskProgressColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        super().__init__(title, columns, total, shown)
        self.computed = 0

    def advance(self, molecules: int, computed: bool) -> None:
        """Count molecules that are done; `computed`: now, and not in an earlier preparation."""
        self.done += molecules
        self.computed += molecules * computed
        self.total = max(self.total, self.done)
        seconds = max(time.monotonic() - self.started, 1e-9)
        rate = f"{self.computed / seconds:,.0f} molecules/s" if self.computed else ""
        self.show(lambda: f"{self.title}: {self.done:,} of about {self.total:,} molecules, {rate}", rate=rate)
