"""Preparation by a Ray cluster of two nodes on this machine, one of them killed on the way, against one process alone.

Each round a fresh store is prepared, and the second node killed (kill -9 of its raylet and of all that it runs) when a
random share of the shards is there; it is replaced before the next round. With ``--config`` the stores of all datasets
of an experiment: ``--config largemix/lookalike``.
"""

import argparse
import os
import random
import tempfile
import threading
import time
from pathlib import Path

from kill_prepare import checksums, prepare, shard_count, write_table
from measuring import report
from ray.cluster_utils import Cluster

from molfound.config import load_config
from molfound.config.schema import DataConfig
from molfound.data.manifest import load_manifest
from molfound.training.mixture import prepare_mixture

BAR = 1.0
NODE = {"num_cpus": 1, "object_store_memory": 200 << 20, "include_dashboard": False}


def main() -> None:
    """Prepare alone, then by the cluster, and compare the bytes of every file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--dataset", default="zinc12k", help="qm9, tox21 or zinc12k")
    parser.add_argument("--rows", type=int, default=12000, help="of the dataset, from the first on")
    parser.add_argument("--config", help="an experiment, all of whose datasets are prepared instead")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--block-rows", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.config is None:
            write_table(load_manifest(f"toymix/{options.dataset}"), options.data, folder, options.rows)
        alone = prepared(options, folder, "alone", "local")
        expected, shards = checksums(folder / "alone"), shard_count(folder / "alone")
        cluster = Cluster(initialize_head=True, head_node_args=NODE)
        os.environ["RAY_ADDRESS"] = cluster.address
        same, left, seconds = 0, list[int](), list[float]()
        for number in range(options.kills):
            store = folder / f"killed-{number}"
            killer = NodeKiller(cluster, store, round(chance.uniform(0.02, 0.9) * shards))
            seconds.append(prepared(options, folder, store.name, "ray"))
            left.append(killer.shards_when_killed())
            same += checksums(store) == expected
        cluster.shutdown()
    report(
        same / options.kills,
        BAR,
        met=same == options.kills and max(left) < shards,
        kills=options.kills,
        stores_with_the_same_bytes=same,
        shards=shards,
        shards_when_killed=left,
        molecules=options.rows if options.config is None else None,
        alone_s=alone,
        ray_s=seconds,
        data=options.config or options.dataset,
    )
    raise SystemExit(same != options.kills)


class NodeKiller:
    """A second node of the cluster, killed when a store has so many shards."""

    def __init__(self, cluster: Cluster, store: Path, shards: int) -> None:
        self._cluster, self._store, self._shards = cluster, store, shards
        self._node = cluster.add_node(**NODE)
        self._found = 0
        self._thread = threading.Thread(target=self._kill)
        self._thread.start()

    def shards_when_killed(self) -> int:
        """Return how many shards there were."""
        self._thread.join()
        return self._found

    def _kill(self) -> None:
        while (found := shard_count(self._store)) < self._shards:
            time.sleep(0.01)
        self._found = found
        self._cluster.remove_node(self._node, allow_graceful=False)


def prepared(options: argparse.Namespace, folder: Path, store: str, engine: str) -> float:
    """Prepare, and return the seconds that it takes."""
    started = time.perf_counter()
    chosen = {"engine": engine, "block_rows": options.block_rows, "processes": 1 if engine == "local" else None}
    if options.config is None:
        datasets = {"datasets": {options.dataset: {"manifest": options.dataset}}}
        prepare(options.dataset, folder, store, DataConfig.model_validate(chosen | datasets))
    else:
        experiment = load_config(options.config, [f"data.root={options.data or folder}"])
        data = experiment.data.model_copy(update=chosen | {"store": str(folder / store)})
        prepare_mixture(experiment.model_copy(update={"data": data}))
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
