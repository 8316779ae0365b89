"""Shards built by the nodes of a Ray cluster; `molfound.data.workers` imports this where Ray is asked for."""

import atexit
import hashlib
import logging
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import ray
import scipy
from ray.exceptions import RayError, RayTaskError
from rdkit import rdBase

import molfound
from molfound.data.build import Job, ShardRecord, build_shards
from molfound.data.shards import checksum, write_atomically
from molfound.data.workers import JOBS_AHEAD, Done
from molfound.errors import MolfoundError
from molfound.plugins import load_plugin

RETRIES = 5  # of a task whose process or node is lost
REACH_SECONDS = 5.0
START = "start one (ray start --head), or name one in the environment variable RAY_ADDRESS"


@dataclass(frozen=True)
class Plugin:
    """A plugin's file, as it is sent to a node: its path here, its content."""

    path: Path
    content: bytes


class RayShardBuilders:
    """Builds jobs as tasks of a Ray cluster, with the interface of `molfound.data.workers.ShardBuilders`.

    A task sends back what its shards hold, and this process alone writes into the store: no node needs its folder, and
    none can write into another of that name. A task whose node is lost runs again elsewhere. Leaving the context after
    an error ends the tasks under way.

    Args:
        tasks: at once; None: two for each core of the cluster, so that none waits.
        plugins: files with features and encodings of the user's own, which are sent to the nodes.

    Raises:
        MolfoundError: no cluster, a node where something else is installed than here, a full disk, a task that was lost
            too often.
    """

    def __init__(self, tasks: int | None, plugins: Sequence[Path] = ()) -> None:
        self.tasks = tasks
        self._plugins = tuple(Plugin(path, path.read_bytes()) for path in plugins)
        self._under_way: dict[Any, tuple[Path, Done]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            # Ray says on standard output which nodes it loses, where a script may read what a command answers.
            opened.enter_context(redirect_stdout(sys.stderr))
            if _join_cluster():
                opened.callback(ray.shutdown)
            self._undone = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._under_way:
            ray.cancel(task, force=True)
        self._undone.close()

    def add(self, job: Job, done: Done) -> None:
        """Build a job, now or later, and call `done` with the records of its shards, written by this process."""
        while len(self._under_way) >= (self.tasks or JOBS_AHEAD * _cores()):
            self._take_finished()
        self._under_way[_BUILT.remote(job, self._plugins, installed())] = job.folder, done

    def finish(self) -> None:
        """Wait until all jobs are done."""
        while self._under_way:
            self._take_finished()

    def _take_finished(self) -> None:
        (finished,), _ = ray.wait(list(self._under_way), num_returns=1)
        folder, done = self._under_way.pop(finished)
        try:
            built = ray.get(finished)
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            raise MolfoundError(
                f"a task that prepares the data was lost {RETRIES + 1} times ({_first_line(error)}); "
                "finished shards are kept: run it again"
            ) from error
        for record, content in built:
            if checksum(content) != record.file.checksum:
                raise ValueError(f"{record.file.name} came with another checksum than it was sent with")
            write_atomically(folder / record.file.name, content)
        done([record for record, _ in built])


@cache
def installed() -> Mapping[str, str]:
    """Return all that the bytes of a shard depend on besides its job: versions, and a hash of our own code."""
    package = Path(molfound.__file__).parent
    code = hashlib.blake2b(digest_size=8)
    for path in sorted(package.rglob("*.py")):
        code.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return {
        "molfound": f"{molfound.__version__} (code {code.hexdigest()})",
        "rdkit": rdBase.rdkitVersion,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pyarrow": pa.__version__,
        "processor": platform.machine(),
    }


def _built(job: Job, plugins: Sequence[Plugin], expected: Mapping[str, str]) -> list[tuple[ShardRecord, bytes]]:
    """Return the shards of a job, built on this node in a folder of its own that is gone afterwards."""
    for name, version in expected.items():
        if installed()[name] != version:
            raise MolfoundError(
                f"node {platform.node()} of the Ray cluster has {name} {installed()[name]} and this machine has "
                f"{version}, which may yield other bytes: install the same on all"
            )
    for plugin in plugins:
        load_plugin(_placed(plugin))
    with tempfile.TemporaryDirectory(prefix="molfound-") as folder:
        records = build_shards(replace(job, folder=Path(folder)))
        return [(record, (Path(folder) / record.file.name).read_bytes()) for record in records]


_BUILT = ray.remote(num_cpus=1, max_retries=RETRIES)(_built)


@cache
def _plugin_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="molfound-plugins-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _placed(plugin: Plugin) -> Path:
    """Return where a plugin lies on this node: the same place whatever its content, so that it replaces an older."""
    folder = _plugin_folder() / hashlib.blake2b(str(plugin.path).encode(), digest_size=8).hexdigest()
    path = folder / plugin.path.name
    if not path.exists() or path.read_bytes() != plugin.content:
        folder.mkdir(exist_ok=True)
        path.write_bytes(plugin.content)
    return path


def _join_cluster() -> bool:
    """Join the running Ray cluster, and return whether this is to be undone: not if the caller has joined one."""
    if ray.is_initialized():
        return False
    _check_reached(os.environ.get("RAY_ADDRESS", ""))
    try:
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise MolfoundError(f"no Ray cluster is running here: {START}") from error
    except RuntimeError as error:
        raise MolfoundError(f"the Ray cluster cannot be joined: {_first_line(error)}") from error
    return True


def _check_reached(address: str) -> None:
    """Refuse an address where nobody answers; Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), REACH_SECONDS).close()
    except OSError as error:
        raise MolfoundError(f"no Ray cluster answers at {address} ({error.strerror or error}): {START}") from error


def _cores() -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
