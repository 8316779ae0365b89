"""Starting the processes of a training on this machine."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from types import FrameType
from typing import Any

from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, start_processes

from molfound.chem.watched import end_with_parent, without_main_script
from molfound.errors import MolfoundError

GRACE = 20.0  # seconds that the others have to end by themselves when one has failed
TOLD = 2  # exit status of a process that has said why it ends
INTERRUPTED = 130  # and of one that Ctrl-C has ended at once


def launch(function: Callable[..., Any], arguments: tuple[Any, ...], count: int, told: type[Exception]) -> None:
    """Call a function in so many processes at once, and return when all of them have.

    They find each other by the environment that torchrun would set (`Processes.of_environment`).

    Args:
        function: of a module, not of the user's script.
        arguments: of it, picklable, the same for all.
        count: how many processes.
        told: an exception that is raised here if a process raises it, as `MolfoundError` is.

    Raises:
        MolfoundError: a process raised it, or died.
    """
    heard: SimpleQueue[Exception | None] = get_context("spawn").SimpleQueue()
    started: list[BaseProcess] = []
    with _passed_on(started) as interrupted:
        with without_main_script():
            running = start_processes(  # type: ignore[no-untyped-call]
                _serve, (function, arguments, count, free_port(), told, heard), count, join=False, start_method="spawn"
            )
        started += running.processes
        if interrupted.is_set():
            _interrupt(started)
        failure = None
        try:
            while not running.join(grace_period=GRACE):
                pass
        except (ProcessExitedException, ProcessRaisedException) as ended:
            failure = ended
    ends = []
    while not heard.empty():
        ends.append(heard.get())
    for error in ends:
        if error is not None:
            raise error from None
    if interrupted.is_set() and len(ends) < count:
        raise KeyboardInterrupt
    if isinstance(failure, ProcessRaisedException):
        raise RuntimeError(str(failure)) from None
    if len(ends) < count:
        raise MolfoundError(
            f"one of {count} processes died (killed, or out of memory); go on from the last checkpoint with --resume"
        )


def _serve(
    rank: int,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    count: int,
    port: int,
    told: type[Exception],
    heard: "SimpleQueue[Exception | None]",
) -> None:
    # Ctrl-C in a terminal reaches the whole group of the process that started this one; it comes from there, once.
    os.setpgid(0, 0)
    threading.Thread(target=end_with_parent, daemon=True).start()
    for name in [name for name in os.environ if name.startswith("TORCHELASTIC_")]:
        del os.environ[name]  # of whoever started the process that started this one
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in places.items()}, MASTER_ADDR="127.0.0.1")
    try:
        function(*arguments)
    except (MolfoundError, told) as error:
        heard.put(error)
        sys.exit(TOLD)
    except KeyboardInterrupt:  # before the training or in the midst of a step, so that the others would wait for it
        sys.exit(INTERRUPTED)
    heard.put(None)


@contextmanager
def _passed_on(processes: Sequence[BaseProcess]) -> Iterator[threading.Event]:
    """Let Ctrl-C be answered by other processes, to each of which it is passed on; yield whether it came."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(signum: int, frame: FrameType | None) -> None:
        interrupted.set()
        _interrupt(processes)

    # Not ignored: processes started meanwhile would inherit that.
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)


def _interrupt(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGINT)


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
