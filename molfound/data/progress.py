"""How far preparation has come: a bar on a terminal, a plain line every few seconds elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

LINE_SECONDS = 5.0


class MoleculeProgress:
    """Counts molecules as they are done, on standard error; silent if `shown` is false.

    Args:
        title: what is being done.
        total: how many molecules there are.
        shown: whether to show anything.
    """

    def __init__(self, title: str, total: int, shown: bool = True) -> None:
        self.title, self.total, self.shown = title, total, shown
        self.done = self.computed = 0
        self.started = self.last_line = time.monotonic()
        self.console = Console(file=sys.stderr)
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self.shown and self.console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=self.console)
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, rate="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, molecules: int, computed: bool) -> None:
        """Count molecules that are done; `computed`: now, and not in an earlier preparation."""
        self.done += molecules
        self.computed += molecules * computed
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, rate=self._rate(now))
        elif self.shown and now - self.last_line >= LINE_SECONDS:
            self.last_line = now
            self.say(f"{self.title}: {self.done:,} of {self.total:,} molecules, {self._rate(now)}")

    def say(self, line: str) -> None:
        """Show a line, above the bar if there is one."""
        if self.shown:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _rate(self, now: float) -> str:
        return f"{self.computed / max(now - self.started, 1e-9):,.0f} molecules/s" if self.computed else ""
