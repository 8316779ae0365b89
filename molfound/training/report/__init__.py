"""The report of a run: one HTML file with curves, tables and plots that needs no network."""

from dataclasses import replace
from pathlib import Path

from molfound.data.shards import write_atomically
from molfound.errors import MolfoundError
from molfound.runs import find_run
from molfound.training.report.content import read_content
from molfound.training.report.page import check_report_file, page
from molfound.training.run_folder import RunFolder

__all__ = ["write_report"]


def write_report(name: str | Path, output: Path | None = None) -> Path:
    """Write the report of a run from the files in its folder, and return its path.

    What a run does not have (yet), such as scores or baselines, is left out. Same files, same bytes.

    Args:
        name: of the run, see `molfound.runs.find_run`.
        output: where to write; None: the folder's ``report.html``.

    Raises:
        MolfoundError: no such run, or one that is not in a folder of the user's and no output; the file cannot be
            written.
    """
    run = RunFolder.existing(find_run(name))
    content = read_content(run)
    if not Path(name).is_dir():
        if output is None:
            raise MolfoundError(f"{name} is no folder that a report could be written to: name a file (-o report.html)")
        content = replace(content, name=str(name))
    written = output or run.report
    check_report_file(written)
    write_atomically(written, page(content).encode())
    return written
