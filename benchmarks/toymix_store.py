"""The ToyMix stores: size on the disk against 60 MB, memory of all preparing processes against 2 GB, time to load."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from measuring import MemoryWatch, report

from molfound.config.schema import DataConfig, FeaturesConfig
from molfound.data.manifest import load_manifest
from molfound.data.preparation_report import PreparationReport
from molfound.data.prepare import prepare_dataset
from molfound.data.store import GraphStore

DATASETS = ("qm9", "tox21", "zinc12k")
ENCODINGS = {"laplacian": {"pairs": 8}, "random_walk": {"steps": 16}}
STORE_BYTES = 60e6
MEMORY_BYTES = 2e9

Result = TypeVar("Result")


def main() -> None:
    """Prepare in a process of its own, whose memory is watched, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--store", type=Path, help="only prepare, into this folder")
    options = parser.parse_args()
    if options.store is not None:
        prepare_toymix(options.data, options.store, options.processes)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--data", str(options.data), "--processes", str(options.processes)]
        start = time.perf_counter()
        process = subprocess.Popen([*command, "--store", folder])
        watch = MemoryWatch(process.pid)
        if process.wait():
            raise SystemExit(process.returncode)
        seconds = time.perf_counter() - start
        peak = watch.stop()
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        again, reports = timed(lambda: prepare_toymix(options.data, Path(folder), 1))
        loading, molecules = timed(lambda: sum(load(prepared) for prepared in reports))
    report(
        min(STORE_BYTES / size, MEMORY_BYTES / peak),
        1.0,
        store_mb=size / 1e6,
        peak_memory_mb=peak / 1e6,
        prepare_s=seconds,
        molecules_per_s=molecules / seconds,
        prepare_again_s=again,
        load_s=loading,
        molecules=molecules,
        processes=options.processes,
    )


def prepare_toymix(data: Path, store: Path, processes: int) -> list[PreparationReport]:
    """Prepare the three sets with the features and encodings of the ToyMix configurations."""
    return [prepare_one(data, store, name, processes) for name in DATASETS]


def prepare_one(data: Path, store: Path, name: str, processes: int, block_rows: int = 8192) -> PreparationReport:
    """Prepare one set."""
    manifest = load_manifest(f"toymix/{name}")
    settings = {"datasets": {name: {"manifest": name}}, "processes": processes, "block_rows": block_rows}
    config = DataConfig.model_validate(settings)
    return prepare_dataset(manifest, manifest.tasks, FeaturesConfig(), ENCODINGS, config, root=data, store=store)


def load(prepared: PreparationReport) -> int:
    """Load a store whole and return the number of its molecules."""
    return len(GraphStore.open(prepared.folder, prepared.families).load())


def timed(action: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds that the action takes, and what it returns."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
