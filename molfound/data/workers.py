"""Processes that build shards, a bounded number of jobs ahead; they end with the process that started them."""

import multiprocessing
import os
import platform
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from molfound.chem.watched import end_with_parent, without_main_script
from molfound.data.build import Job, ShardRecord, build_shards
from molfound.errors import MolfoundError
from molfound.plugins import load_plugins

JOBS_AHEAD = 2  # per process or core, whose blocks are in memory

Done = Callable[[list[ShardRecord]], None]


class Builders(Protocol):
    """What builds the jobs of a preparation."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave no job under way."""

    def add(self, job: Job, done: Done) -> None:
        """Build a job, now or later, and call `done` with the records of its shards in this process."""

    def finish(self) -> None:
        """Wait until all jobs are done."""


def shard_builders(
    engine: Literal["local", "ray"], processes: int | None, blocks: int, plugins: Sequence[Path]
) -> Builders:
    """Return what builds shards: processes of this machine, or tasks of a Ray cluster.

    Args:
        engine: which of them.
        processes: how many at once; None: as many as there are cores.
        blocks: about how many there are to build.
        plugins: files with features and encodings of the user's own.

    Raises:
        MolfoundError: Ray is not installed.
    """
    if engine == "local":
        return ShardBuilders(min(processes or available_cores(), max(1, blocks)), plugins)
    try:
        from molfound.data.ray_workers import RayShardBuilders  # optional, and seconds to import
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise MolfoundError("data.engine = ray needs Ray: pip install 'molfound[ray]'") from None
    return RayShardBuilders(processes, plugins)


class ShardBuilders:
    """Builds jobs in processes of their own, or in this one if there is to be one only.

    Leaving the context waits for the jobs under way, so that what they finish is kept, also after an error.

    Args:
        processes: how many.
        plugins: files with features and encodings of the user's own.

    Raises:
        MolfoundError: the disk is full, or a process died.
    """

    def __init__(self, processes: int, plugins: Sequence[Path] = ()) -> None:
        self.processes, self.plugins = processes, tuple(plugins)
        self._pool: ProcessPoolExecutor | None = None
        self._under_way: dict[Future[list[ShardRecord]], Done] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, job: Job, done: Done) -> None:
        """Build a job, now or later, and call `done` with the records of its shards in this process."""
        if self.processes == 1:
            done(build_shards(job))
            return
        if self._pool is None:
            # Not forked: the parent may have threads (of Arrow, of torch) that a fork would cut in two.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.processes, context, _start, (self.plugins,))
        try:
            with without_main_script():
                self._under_way[self._pool.submit(build_shards, job)] = done
        except BrokenProcessPool as error:
            raise _died() from error
        while len(self._under_way) >= JOBS_AHEAD * self.processes:
            self._take_finished()

    def finish(self) -> None:
        """Wait until all jobs are done."""
        while self._under_way:
            self._take_finished()

    def _take_finished(self) -> None:
        finished, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
        for future in finished:
            done = self._under_way.pop(future)
            try:
                done(future.result())
            except BrokenProcessPool as error:
                raise _died() from error


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """Return what the processor calls itself, or its kind where it has no name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _died() -> MolfoundError:
    return MolfoundError(
        "a process that prepares the data died (killed, or out of memory); "
        "finished shards are kept: run it again, with fewer data.processes if need be"
    )


def _start(plugins: Sequence[Path]) -> None:
    # Ctrl-C reaches every process of the terminal: the parent alone decides, and lets the jobs under way finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    load_plugins(plugins)
