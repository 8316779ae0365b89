"""A process that prepares the table of a folder: the fault tests start it, and stop it in every way."""

import signal
import sys
from pathlib import Path

from molfound.data.prepare import prepare_dataset
from tests.data.conftest import ENCODINGS, FEATURES, data_config, manifest_of


def main(folder: Path, processes: int, engine: str = "local") -> None:
    """Prepare ``table.csv``, eight rows per shard."""
    manifest = manifest_of(["table.csv"])
    data = data_config(block_rows=8, processes=processes, engine=engine)
    report = prepare_dataset(
        manifest, manifest.tasks, FEATURES, ENCODINGS, data, root=folder, store=folder / "killed", progress=True
    )
    print(report.built)


if __name__ == "__main__":
    # A shell that runs the tests in the background has them, and so this process, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(Path(sys.argv[1]), int(sys.argv[2]))
