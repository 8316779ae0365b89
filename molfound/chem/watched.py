"""A function called on many inputs in a process of its own, which is ended when one of them takes too long."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from types import ModuleType
from typing import Generic, TypeVar

from molfound.chem.parsing import silenced_rdkit
from molfound.errors import MolfoundError

Input = TypeVar("Input")
Output = TypeVar("Output")


class Hang:
    """Stands for the output of an input that took too long."""


def watched(function: Callable[[Input], Output], inputs: Sequence[Input], seconds: float) -> Iterator[Output | Hang]:
    """Yield the output of each input in order, a `Hang` for one that took longer than `seconds`.

    RDKit cannot be interrupted, so the process is killed and another goes on with the next input. An exception of the
    function is raised here.

    Args:
        function: picklable; RDKit's messages are silenced around it.
        inputs: picklable.
        seconds: of the wall clock, per input.

    Raises:
        MolfoundError: the process died by itself; the input is named.
    """
    done = 0
    while done < len(inputs):
        process = _Process(function, inputs[done:])
        try:
            for output in process.outputs(seconds):
                yield output
                done += 1
        except EOFError as error:
            raise MolfoundError(
                f"the process that works on {inputs[done]!r} died (killed, or out of memory); if it dies there again, "
                "leave that row out"
            ) from error
        finally:
            process.end()


class _Process(Generic[Input, Output]):
    """A process that sends back the output of one input after the other."""

    def __init__(self, function: Callable[[Input], Output], inputs: Sequence[Input]) -> None:
        # Not forked: the parent may have threads that a fork would cut in two.
        context = multiprocessing.get_context("spawn")
        self._count = len(inputs)
        self._connection, far_end = context.Pipe(duplex=False)
        self._process = context.Process(target=_serve, args=(function, list(inputs), far_end), daemon=False)
        with without_main_script():
            self._process.start()
        far_end.close()

    def outputs(self, seconds: float) -> Iterator[Output | Hang]:
        """Yield the outputs, the last of them a `Hang` if an input takes too long."""
        self._connection.recv()  # it has started, which is not counted
        for _ in range(self._count):
            if not self._connection.poll(seconds):
                yield Hang()
                return
            succeeded, output = self._connection.recv()
            if not succeeded:
                raise output
            yield output

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _serve(function: Callable[[Input], Output], inputs: list[Input], connection: Connection) -> None:
    # Ctrl-C reaches every process of the terminal: the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    connection.send(None)
    with silenced_rdkit():
        for content in inputs:
            try:
                answer = True, function(content)
            except Exception as error:  # raised in the parent
                connection.send((False, error))
                return
            connection.send(answer)
    connection.close()


@contextmanager
def without_main_script() -> Iterator[None]:
    """Keep processes that are spawned within the context from running the user's script a second time.

    A spawned process imports the main module of its parent, so that a plain script, one that does not stand under ``if
    __name__ == "__main__"``, would start all over in each. What we let processes do lies in modules of our own.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def end_with_parent() -> None:
    """End this process when its parent is gone, even by kill -9: nobody else would tell it to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_any([parent.sentinel])
        os._exit(1)
