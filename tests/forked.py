"""Python programs in processes of their own that start at once: forked from one that has loaded the product.

Loading it takes seconds of a processor, which most tests of processes that die would spend on nothing else. Apart from
that a program is carried out as ``python`` would. How a program starts is for tests that start it with all of that.
"""

import os
import runpy
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import TextIO

import pytest

PROJECT = Path(__file__).parents[1]
PATIENCE_SECONDS = 300
_FORKING = get_context("forkserver")
# What the programs load, and what they would load only once they need it. None of it starts a thread, or asks for a
# setting.
_FORKING.set_forkserver_preload(
    ["billing_core.web", "billing_core.commands.worker", "pages.ui.failures", "starlette.testclient", __name__]
)


def start(
    *arguments: str, environment: Mapping[str, str], stdout: int | None = None, stderr: int | None = None
) -> BaseProcess:
    """``python *arguments``, which begin with a file or with -m and a module, in the project's folder.

    ``environment`` is all that it knows. What it says goes to these descriptors.
    """
    said = {
        number: Connection(os.dup(descriptor), readable=False)
        for number, descriptor in ((1, stdout), (2, stderr))
        if descriptor is not None
    }
    process = _FORKING.Process(target=_run, args=(arguments, dict(environment), said), daemon=True)
    # A new process begins with the main module of this one, which a test of a page has left as that page.
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "__main__", ModuleType("__main__"))
        process.start()
    for connection in said.values():
        connection.close()
    return process


@contextmanager
def forked(*arguments: str, environment: Mapping[str, str]) -> Iterator[tuple[BaseProcess, TextIO]]:
    """Such a process, and what it prints. It is killed at the end, if it has not ended by then."""
    reading, writing = os.pipe()
    with open(reading) as printed:
        try:
            process = start(*arguments, environment=environment, stdout=writing)
        finally:
            os.close(writing)
        try:
            yield process, printed
        finally:
            process.kill()
            process.join()


def carried_out(*arguments: str, environment: Mapping[str, str]) -> int:
    """The exit code of such a process, once it has ended: minus the signal that ended it, where one did."""
    process = start(*arguments, environment=environment)
    try:
        process.join(PATIENCE_SECONDS)
        assert process.exitcode is not None, "it goes on and on"
        return process.exitcode
    finally:
        process.kill()
        process.join()


def _run(arguments: tuple[str, ...], environment: dict[str, str], said: dict[int, Connection]) -> None:
    for number, connection in said.items():
        os.dup2(connection.fileno(), number)
        connection.close()
    # What a shell starts in the background ignores it, and so would all that these tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(PROJECT)
    os.environ.clear()
    os.environ.update(environment)
    if arguments[0] == "-m":
        sys.argv = ["", *arguments[2:]]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        runpy.run_path(arguments[0], run_name="__main__")
