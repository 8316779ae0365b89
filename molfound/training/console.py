"""What a training says on the console: a progress bar on a terminal, one plain line per epoch anywhere; tables."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from molfound.training.evaluation import Scores

UNBOUNDED = 10_000


class EpochReporter:
    """Reports epochs on the standard error stream.

    Args:
        epochs: epochs in all.
        console: where to write; by default the standard error stream.
    """

    def __init__(self, epochs: int, console: Console | None = None) -> None:
        self.epochs = epochs
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._molecules, self._started = 0, time.perf_counter()

    def line(self, text: str) -> None:
        """Write one line."""
        self.console.print(text, markup=False)

    def start_epoch(self, epoch: int, batches: int) -> None:
        """Begin an epoch (numbered from 0) of which so many batches are left."""
        self._molecules, self._started = 0, time.perf_counter()
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn(f"epoch {epoch + 1}/{self.epochs}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[rate]}"),
                console=self.console,
                transient=True,
            )
            self._bar.add_task("", total=batches, rate="")
            self._bar.start()

    def advance(self, molecules: int) -> None:
        """Count one batch."""
        self._molecules += molecules
        if self._bar is not None:
            rate = self._molecules / (time.perf_counter() - self._started)
            self._bar.update(self._bar.task_ids[0], advance=1, rate=f"{rate:,.0f} molecules/s")

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def end_epoch(
        self, epoch: int, figures: Mapping[str, float], scores: Scores | None, rate: float, is_best: bool
    ) -> None:
        """Write the line of an epoch: losses, the first validation figure of tasks and objectives, and the time taken.

        Args:
            epoch: complete epochs.
            figures: of the epoch, by name.
            scores: of the validation part, if there is one.
            rate: molecules per second of training; the epoch's seconds are those of validation and checkpoint too.
            is_best: whether it is the best so far.
        """
        self.close()
        parts = [f"epoch {epoch}/{self.epochs}"]
        parts += [
            f"{name} {figures[key]:.4f}"
            for name, key in (("train", "train/loss"), ("val", "val/loss"))
            if key in figures
        ]
        if scores is not None:
            for task, task_scores in scores.tasks.items():
                name, value = next(iter(task_scores.mean.items()))
                parts.append(f"{task} {name} {value:.4f}")
            for objective, told in scores.objectives.items():
                parts += [f"{objective} {name} {value:.4f}" for name, value in list(told.items())[:1]]
        seconds = time.perf_counter() - self._started
        left = (self.epochs - epoch) * seconds
        parts.append(f"{seconds:.1f} s ({rate:,.0f} molecules/s in training), {_duration(left)} left")
        self.line("  ".join(parts) + (", best" if is_best else ""))


def print_table(table: Table) -> None:
    """Print a table on the standard output, all of it where no terminal bounds its width."""
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console.width = UNBOUNDED
        console.width = console.measure(table).maximum
    console.print(table)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
