"""Preparation by a Ray cluster of two nodes on this machine; it takes a minute or two, so that it is run on demand."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from molfound.data.manifest import Manifest
from molfound.errors import MolfoundError
from molfound.plugins import load_plugin
from tests.data.conftest import ENCODINGS, SMILES, Prepare, contents, data_config, manifest_of, write_csv

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'molfound[ray]'")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = pytest.mark.slow
NODE = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
ROWS = 400


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Yield a cluster of two nodes that this process can join."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        started = cluster_utils.Cluster(initialize_head=True, head_node_args=NODE)
        started.add_node(**NODE)
        environment.setenv("RAY_ADDRESS", started.address)
        yield started
        started.shutdown()


@pytest.fixture
def table(tmp_path: Path) -> Manifest:
    """Return the manifest of a table of 50 blocks of 8 rows, some of them rejected."""
    smiles = [SMILES[i % len(SMILES)] + "C" * (i // len(SMILES) % 7) for i in range(ROWS)]
    smiles[7], smiles[100] = "C1CC", ""
    write_csv(tmp_path / "table.csv", {"smiles": smiles, "a": range(ROWS), "b": ["x", *range(1, ROWS)]})
    return manifest_of(["table.csv"])


@pytest.mark.parametrize("tasks", [None, 1])
def test_a_cluster_makes_the_store_that_one_process_makes(
    cluster: Any, table: Manifest, prepare: Prepare, tasks: int | None
) -> None:
    alone = prepare(table, data=data_config(block_rows=8))
    spread = prepare(table, store="ray", data=data_config(block_rows=8, engine="ray", processes=tasks))
    assert contents(spread.folder) == contents(alone.folder)
    assert (spread.built, spread.rejected) == (alone.built, alone.rejected)
    assert {"invalid_smiles", "empty_smiles", "label_not_a_number"} == set(spread.rejected)
    assert not ray.is_initialized()
    again = prepare(table, store="ray", data=data_config(block_rows=8, engine="ray"))
    assert (again.built, again.reused) == (0, alone.built)


def test_a_node_that_is_killed_costs_nothing(
    cluster: Any, tmp_path: Path, table: Manifest, prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = prepare(table, data=data_config(block_rows=8))
    node = cluster.add_node(**NODE)
    done: list[str] = []

    def kill() -> None:
        deadline = time.monotonic() + 60
        while len(list((tmp_path / "ray").rglob("0*.arrow"))) < 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        cluster.remove_node(node, allow_graceful=False)
        done.append("killed")

    killer = threading.Thread(target=kill)
    killer.start()
    spread = prepare(table, store="ray", data=data_config(block_rows=8, engine="ray"))
    killer.join()
    assert done
    assert contents(spread.folder) == contents(alone.folder)
    assert capsys.readouterr().out == ""


def test_plugins_are_sent_and_an_edited_one_replaces_the_older(
    cluster: Any, tmp_path: Path, small: Manifest, prepare: Prepare
) -> None:
    plugin = tmp_path / "plugin.py"
    ray.init(address="auto", log_to_driver=False)  # so that the same processes work for both preparations
    try:
        for factor in (1, 2):
            plugin.write_text(
                "import numpy as np\n"
                "from molfound.encodings import encoding\n"
                "@encoding('sent_in_test', parts={'atoms': 'graph'})\n"
                "def size(block):\n"
                f"    return {{'atoms': {factor}.0 * np.diff(block.node_ptr)[:, None]}}\n"
            )
            load_plugin(plugin)
            chosen = {"encodings": {**ENCODINGS, "sent_in_test": {}}, "plugins": [plugin]}
            alone = prepare(small, store=f"alone{factor}", **chosen)
            spread = prepare(small, store=f"ray{factor}", data=data_config(engine="ray"), **chosen)
            assert contents(spread.folder) == contents(alone.folder)
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_an_error_of_a_task_is_the_line_that_one_process_says(
    cluster: Any, tmp_path: Path, small: Manifest, prepare: Prepare
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "from molfound.encodings import encoding\n"
        "from molfound.errors import MolfoundError\n"
        "@encoding('failing_in_test', parts={'x': 'graph'})\n"
        "def failing(block):\n"
        "    raise MolfoundError('nothing to encode')\n"
    )
    load_plugin(plugin)
    for engine in ("local", "ray"):
        with pytest.raises(MolfoundError, match=r"^nothing to encode$"):
            prepare(
                small, encodings={"failing_in_test": {}}, plugins=[plugin], data=data_config(engine=engine, processes=1)
            )


def test_a_task_that_kills_its_process_is_given_up(
    cluster: Any, tmp_path: Path, small: Manifest, prepare: Prepare
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import os\n"
        "from molfound.encodings import encoding\n"
        "@encoding('deadly_in_test', parts={'x': 'graph'})\n"
        "def deadly(block):\n"
        "    if block.graph_count > 1:\n"
        "        os._exit(9)\n"
        "    return {'x': block.node_ptr[1:, None].astype(float)}\n"
    )
    load_plugin(plugin)
    with pytest.raises(MolfoundError, match=r"was lost 6 times .*finished shards are kept") as error:
        prepare(small, encodings={"deadly_in_test": {}}, plugins=[plugin], data=data_config(engine="ray", processes=1))
    assert "\n" not in str(error.value)


def test_a_node_where_something_else_is_installed_is_refused(
    cluster: Any, small: Manifest, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    from molfound.data import ray_workers

    monkeypatch.setattr(ray_workers, "installed", lambda: {"rdkit": "2000.1.1"})
    with pytest.raises(
        MolfoundError, match=r"node .* has rdkit 20.* and this machine has 2000\.1\.1, .*install the same"
    ):
        prepare(small, data=data_config(engine="ray"))
