"""Preparation of a real dataset, killed (kill -9) at random moments and resumed, against one that is left alone.

Each store is killed a few times, at moments drawn over all the processor time of a whole preparation, the reading of
the table and the writing of the index included, and goes on from where it was killed; it is compared, and another one
begun, until there were as many kills as asked for. Processes are forked from one that has imported everything, so that
a kill costs about a second. Linux.
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import pyarrow.parquet as pq
from measuring import report
from toymix_store import ENCODINGS

from molfound.config.schema import DataConfig, FeaturesConfig
from molfound.data.manifest import DataFile, Manifest, load_manifest, locate_files
from molfound.data.prepare import prepare_dataset
from molfound.data.tables import Table

BAR = 1.0
KILLS = 4  # of one store
TABLE = "table.parquet"


def main() -> None:
    """Kill, resume, compare the bytes of every file, and print how far the killed preparations had come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--dataset", default="zinc12k", help="qm9, tox21 or zinc12k")
    parser.add_argument("--rows", type=int, default=2000, help="of the dataset, from the first on")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--block-rows", type=int, default=128)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    settings = {"datasets": {options.dataset: {"manifest": options.dataset}}, "block_rows": options.block_rows}
    config = DataConfig.model_validate(settings | {"processes": options.processes})
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wait_for(forked(write_table, load_manifest(f"toymix/{options.dataset}"), options.data, folder, options.rows))
        started = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wait_for(forked(prepare, options.dataset, folder, "alone", config))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        expected, shards = checksums(folder / "alone"), shard_count(folder / "alone")
        left: list[int] = []
        same = stores = 0
        while len(left) < options.kills:
            store = folder / f"killed-{stores}"
            for point in sorted(chance.uniform(0, 1.1) for _ in range(min(KILLS, options.kills - len(left)))):
                to_do = max(0, point - shard_count(store) / shards) + chance.uniform(0, 0.1)
                if kill(forked(prepare, options.dataset, folder, store.name, config), whole * to_do):
                    left.append(shard_count(store))
            wait_for(forked(prepare, options.dataset, folder, store.name, config))
            same += checksums(store) == expected
            stores += 1
        seconds = time.perf_counter() - started
    report(
        same / stores,
        BAR,
        kills=len(left),
        stores=stores,
        stores_with_the_same_bytes=same,
        shards=shards,
        kills_before_the_first_shard=left.count(0),
        kills_after_the_last_shard=left.count(shards),
        kills_by_quarter_of_the_shards=quarters(left, shards),
        molecules=options.rows,
        processes=options.processes,
        whole_cpu_s=whole,
        seconds=seconds,
        dataset=options.dataset,
    )
    raise SystemExit(same != stores)


def write_table(manifest: Manifest, data: Path, folder: Path, rows: int) -> None:
    """Write the first rows of a dataset, as a table of its own."""
    table = Table(locate_files(manifest, data))
    pq.write_table(next(table.blocks(table.columns, rows)), folder / TABLE)


def prepare(dataset: str, folder: Path, store: str, config: DataConfig) -> None:
    """Prepare those rows, or what is missing of them."""
    manifest = load_manifest(f"toymix/{dataset}").model_copy(update={"files": (DataFile(name=TABLE),), "folder": None})
    features = FeaturesConfig()
    prepare_dataset(
        manifest, manifest.tasks, features, ENCODINGS, config, root=folder, store=folder / store, progress=False
    )


def forked(function: object, *arguments: object) -> BaseProcess:
    """Start a process that has everything imported."""
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)  # type: ignore[arg-type]
    process.start()
    return process


def wait_for(process: BaseProcess) -> None:
    """Wait until a process has done its work."""
    process.join()
    if process.exitcode:
        raise SystemExit("the preparation failed")


def kill(process: BaseProcess, seconds: float) -> bool:
    """Kill a process after so many seconds of the processor, and return whether it was not finished by then."""
    while process.is_alive() and cpu_seconds(process.pid) < seconds:
        time.sleep(0.002)
    process.kill()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise SystemExit("the preparation failed")
    return process.exitcode != 0


def cpu_seconds(pid: int | None) -> float:
    """Return the processor time that a process and its children have taken."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in children)


def quarters(left: list[int], shards: int) -> list[int]:
    """Return how many kills found up to a quarter of the shards, up to the half, and so on."""
    counts = Counter(min(4 * count // shards, 3) for count in left)
    return [counts[quarter] for quarter in range(4)]


def shard_count(store: Path) -> int:
    """Return how many finished shards the store has."""
    return sum(1 for _ in store.rglob("[0-9]*.arrow"))


def checksums(store: Path) -> dict[str, str]:
    """Return the checksum of every file of the store, by its path."""
    files = (path for path in store.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    main()
