"""Preparation of a real dataset, killed (kill -9) at random moments and resumed, against one that is left alone."""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import report
from toymix_store import prepare_one

BAR = 1.0


def main() -> None:
    """Kill, resume, compare the bytes of every file, and print how far each killed preparation had come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--dataset", default="zinc12k", help="qm9, tox21 or zinc12k")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--block-rows", type=int, default=256)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", type=Path, help="only prepare, into this folder")
    options = parser.parse_args()
    if options.store is not None:
        prepare_one(options.data, options.store, options.dataset, options.processes, options.block_rows)
        return
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as left_alone, tempfile.TemporaryDirectory() as killed:
        finish(Path(left_alone))
        shards = shard_count(Path(left_alone))
        moments = sorted(chance.uniform(0, shards) for _ in range(options.kills))
        done = [kill_at(moment, Path(killed)) for moment in moments]
        finish(Path(killed))
        same = checksums(Path(left_alone)) == checksums(Path(killed))
    report(float(same), BAR, kills=options.kills, shards=shards, shards_when_killed=done, dataset=options.dataset)
    raise SystemExit(not same)


def start(store: Path) -> subprocess.Popen[bytes]:
    """Start this script as a process that prepares, in a group of its own."""
    return subprocess.Popen([sys.executable, *sys.argv, "--store", str(store)], start_new_session=True)


def finish(store: Path) -> None:
    """Prepare to the end."""
    if start(store).wait():
        raise SystemExit("the preparation failed")


def kill_at(moment: float, store: Path) -> int:
    """Prepare until so many shards are there, wait a part of a shard's time, kill, and return how many were there."""
    process = start(store)
    while shard_count(store) < int(moment) and process.poll() is None:
        time.sleep(0.001)
    time.sleep(moment % 1 / 10)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return shard_count(store)


def shard_count(store: Path) -> int:
    """Return how many finished shards the store has."""
    return sum(1 for _ in store.rglob("[0-9]*.arrow"))


def checksums(store: Path) -> dict[str, str]:
    """Return the checksum of every file of the store, by its path."""
    files = (path for path in store.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    main()
