"""A million SMILES predicted and embedded by the command line: rate, peak memory, order, and the rows that are refused.

The molecules are those of the ZINC and MOSES files, again and again; every thousandth row is none, and the reason is
known. The whole process tree is to stay under 2 GB. The model is that of ``--run``, or the network of toymix/gine.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pyarrow.parquet as pq
from measuring import MemoryWatch, report
from predict import save_untrained, smiles

MEMORY_BYTES = 2e9
REFUSED_EVERY, REFUSED_FIRST = 1000, 7
REFUSED = {"C1CC": "invalid_smiles", "restricted": "restricted", "C" * 1001: "too_many_atoms"}  # text: reason


def main() -> None:
    """Predict, embed, and print what both took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--run", type=Path, help="the model; default: toymix/gine before training")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--embedded", type=int, default=300_000, help="rows to embed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = options.run or folder
        if options.run is None:
            save_untrained(folder)
        figures = measure("predict", run, folder, options.data, options.rows)
        figures |= measure("embed", run, folder, options.data, options.embedded)
    peak = max(figures["predict_mb"], figures["embed_mb"]) * 1e6
    right = figures["predict_wrong"] == figures["embed_wrong"] == 0
    report(MEMORY_BYTES / peak, 1.0, met=peak < MEMORY_BYTES and right, **figures)


def measure(verb: str, run: Path, folder: Path, data: Path, rows: int) -> dict[str, float]:
    """Return how `predict` or `embed` did with a file of so many rows: seconds, peak megabytes, rows that are wrong."""
    path, output = folder / f"{verb}.smi", folder / f"{verb}.parquet"
    with path.open("w") as file:
        file.writelines(f"{text}\n" for text, _ in expected(data, rows))
    command = [sys.executable, "-m", "molfound", verb, str(run), str(path), "-o", str(output)]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    watch = MemoryWatch(process.pid)
    failed = process.wait()
    peak, seconds = watch.stop(), time.perf_counter() - started
    if failed:
        raise SystemExit(failed)
    wrong = wrong_rows(output, expected(data, rows), rows)
    found = {"rows": rows, "s": seconds, "rows_per_s": rows / seconds, "mb": peak / 1e6, "wrong": wrong}
    return {f"{verb}_{name}": value for name, value in found.items()}


def expected(data: Path, rows: int) -> Iterator[tuple[str, str | None]]:
    """Yield each row's SMILES, and the reason for which it is refused."""
    molecules, refused = cycle(smiles(data)), cycle(REFUSED.items())
    for row in range(rows):
        yield next(refused) if row % REFUSED_EVERY == REFUSED_FIRST else (next(molecules), None)


def wrong_rows(output: Path, rows: Iterator[tuple[str, str | None]], count: int) -> int:
    """Return how many rows have another SMILES or another reason than expected, or are missing or too many."""
    wrong = found = 0
    with pq.ParquetFile(output) as file:
        for batch in file.iter_batches(65_536, columns=["smiles", "rejected"]):
            found += batch.num_rows
            reasons = (reason and reason.partition(":")[0] for reason in batch["rejected"].to_pylist())
            there = zip(batch["smiles"].to_pylist(), reasons, strict=True)
            wrong += sum(pair != wanted for pair, wanted in zip(there, islice(rows, batch.num_rows), strict=False))
    return wrong + abs(found - count)


if __name__ == "__main__":
    main()
