"""A plugin that sees a training from outside: a read-out that writes down which molecules it is given.

Every training pass appends a line to the file of its process (`0.jsonl`, …) in the folder that SAMPLES_LOG names: the
molecules as pairs of dataset and row. SAMPLES_STOP=``SIGKILL 17 train`` has the first process send itself this signal
in its 17th training pass, ``SIGKILL 17 val`` in the first other pass after it; the second process would a pass later,
as Ctrl-C reaches processes at different moments, and so on.
"""

import json
import os
import signal
from pathlib import Path

from torch import Tensor

from molfound.data.batch import GraphBatch
from molfound.nn.readouts import Pool, readouts


@readouts.register("logged_pool")
class LoggedPool(Pool):
    """A `Pool` that writes down its batches."""

    passes = 0

    def forward(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """Return the graph representations, ``[G, width]``."""
        if self.training:
            self.passes += 1
            _write_down(batch)
        _stop_here(self.passes, "train" if self.training else "val")
        return super().forward(nodes, batch)


def _write_down(batch: GraphBatch) -> None:
    if "SAMPLES_LOG" in os.environ:
        ranges = batch.datasets.items()
        seen = [(name, row) for name, (first, last) in ranges for row in batch.rows[first:last].tolist()]
        with (Path(os.environ["SAMPLES_LOG"]) / f"{_rank()}.jsonl").open("a") as file:
            file.write(json.dumps(seen) + "\n")


def _stop_here(passes: int, part: str) -> None:
    if "SAMPLES_STOP" in os.environ:
        name, number, where = os.environ["SAMPLES_STOP"].split()
        if (passes, part) == (int(number) + _rank(), where):
            signal.raise_signal(signal.Signals[name])


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))
