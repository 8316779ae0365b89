"""The report of a run: one HTML file with curves, tables and plots that needs no network."""

from pathlib import Path

from molfound.data.shards import write_atomically
from molfound.training.report.content import read_content
from molfound.training.report.page import page
from molfound.training.run_folder import RunFolder

__all__ = ["write_report"]


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` of a run from the files in its folder, and return its path.

    What a run does not have (yet), such as scores or baselines, is left out. Same files, same bytes.

    Raises:
        MolfoundError: the folder holds no run.
    """
    run = RunFolder.existing(Path(run_folder))
    write_atomically(run.report, page(read_content(run)).encode())
    return run.report
