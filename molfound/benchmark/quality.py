"""Train the cells of a suite one after the other: finished ones are skipped, interrupted ones resumed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from molfound.benchmark.cells import Cell
from molfound.data.shards import held
from molfound.errors import MolfoundError
from molfound.training.finish import fit_baselines
from molfound.training.out_of_memory import free_what_failed, out_of_memory_told
from molfound.training.recorder import TrainingInterruptedError
from molfound.training.train import resume, train


class SuiteInterruptedError(Exception):
    """The user pressed Ctrl-C; the message names the cell, which goes on where it stopped."""


def run_cells(
    cells: Sequence[Cell], *, say: Callable[[str], None], after_each: Callable[[dict[str, str]], object]
) -> dict[str, str]:
    """Bring each cell to its end.

    A cell that meets a mistake in its data or configuration, or that memory does not suffice for, is left, so that the
    others are not lost with it.

    Args:
        cells: in the order in which they are trained.
        say: is told what is being done, a line at a time.
        after_each: called after each cell that was not finished before, with what has failed so far.

    Returns:
        The reason of each cell that failed, by its name.

    Raises:
        SuiteInterruptedError: Ctrl-C.
    """
    failed: dict[str, str] = {}
    for number, cell in enumerate(cells, 1):
        place = f"[{number}/{len(cells)}] {cell.name}"
        if cell.state == "finished":
            say(f"{place}: finished before")
            continue
        say(f"{place}: {'going on' if cell.state == 'interrupted' else 'begun'}")
        try:
            with out_of_memory_told():
                _run(cell)
        except MolfoundError as error:
            failed[cell.name] = str(error)
            say(f"{place}: failed: {error}")
        except (TrainingInterruptedError, KeyboardInterrupt):
            raise SuiteInterruptedError(cell.name) from None
        if cell.name in failed:
            free_what_failed()
        after_each(failed)
    return failed


def _run(cell: Cell) -> None:
    if cell.baseline:
        fit_baselines(cell.experiment)
    elif cell.run.has_progress:
        resume(cell.run.path, cell.experiment)
    else:
        train(cell.experiment)


@contextmanager
def one_runner(folder: Path) -> Iterator[None]:
    """Hold a suite's folder, in which two processes would train the same cells.

    Raises:
        MolfoundError: another process holds it.
    """

    def refuse() -> None:
        raise MolfoundError(f"another process runs a suite in {folder}; wait for it, or take another folder (-o)")

    with held(folder / ".lock", refuse):
        yield
