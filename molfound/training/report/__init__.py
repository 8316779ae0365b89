"""The report of a run: one HTML file with curves, tables and plots that needs no network."""

from pathlib import Path

from molfound.data.shards import write_atomically
from molfound.training.report.content import read_content
from molfound.training.report.page import page
from molfound.training.run_folder import RunFolder

__all__ = ["write_report"]


def write_report(run_folder: Path, output: Path | None = None) -> Path:
    """Write the report of a run from the files in its folder, and return its path.

    What a run does not have (yet), such as scores or baselines, is left out. Same files, same bytes.

    Args:
        run_folder: of the run.
        output: where to write; None: the folder's ``report.html``.

    Raises:
        MolfoundError: the folder holds no run, or the file cannot be written.
    """
    run = RunFolder.existing(Path(run_folder))
    written = output or run.report
    write_atomically(written, page(read_content(run)).encode())
    return written
