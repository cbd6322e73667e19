"""Several processes of the product on one database, whose members are killed and replaced."""

import os
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from billing_core.bill_runs.models import BillRunCustomer, RunOutcome
from billing_core.database import Sessions
from billing_core.processes import queries as processes
from billing_core.processes.models import Process
from tests.forked import PATIENCE_SECONDS, start

T = TypeVar("T")


def until(condition: Callable[[], T], *, what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The condition's first answer that counts as true. A database that is away counts as no answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if answer := condition():
                return answer
        except DBAPIError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds:.0f} seconds")


class Crew:
    """``with Crew(…) as crew``: so many apps and workers, which all live. Each writes a log into the folder."""

    def __init__(self, sessions: Sessions, folder: Path, *, apps: int, workers: int, **settings: str) -> None:
        self.sessions = sessions
        self.folder = folder
        self.killed: list[int] = []
        self._roles = ["app"] * apps + ["worker"] * workers
        self._settings = settings
        self._members: dict[int, tuple[str, BaseProcess]] = {}
        self._started = 0
        self._last_kill = time.monotonic()

    def __enter__(self) -> "Crew":
        try:
            for role in self._roles:
                self._start(role)
            until(lambda: len(self.living()) == len(self._roles), what="every process has said that it lives")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, kind: object = None, *_: object) -> None:
        for _, process in self._members.values():
            process.terminate()
        for _, process in self._members.values():
            process.join(PATIENCE_SECONDS)
            assert process.exitcode is not None, "it does not end"
        if kind is not None:
            for file in sorted(self.folder.glob("*.log")):
                sys.stderr.write(f"{file.name}\n{file.read_text()[-4_000:]}\n")

    def living(self) -> list[int]:
        with self.sessions() as session:
            return [row.pid for row in processes.living(session) if row.pid in self._members]

    def kill_whoever_works_on(self, run_id: int, *, after_seconds: float) -> None:
        """Kill -9 a process that has customers of this run in hand, so long after the last one, and start another one
        of its kind.
        """
        time.sleep(max(0.0, self._last_kill + after_seconds - time.monotonic()))
        pid = until(lambda: self._working_on(run_id), what=f"a process works on the run (killed: {self.killed})")
        role, process = self._members.pop(pid)
        process.kill()
        process.join(PATIENCE_SECONDS)
        self.killed.append(pid)
        self._last_kill = time.monotonic()
        self._start(role)

    def _working_on(self, run_id: int) -> int | None:
        in_hand = (
            select(Process.pid)
            .join(BillRunCustomer, BillRunCustomer.process_id == Process.id)
            .where(
                BillRunCustomer.run_id == run_id,
                BillRunCustomer.outcome == RunOutcome.WAITING,
                Process.pid.in_(self._members),
                processes.is_living(Process.id),
            )
        )
        with self.sessions() as session:
            return session.scalar(in_hand.limit(1))

    def _start(self, role: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BILLING_", "STRIPE_"))}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        command = ["app.py"] if role == "app" else ["-m", "billing_core", "worker"]
        ours = {"BILLING_DATA_DIR": str(self.folder), "PORT": port}
        self._started += 1
        with (self.folder / f"{self._started:02}-{role}.log").open("wb") as log:
            said = {"stdout": log.fileno(), "stderr": log.fileno()}
            process = start(*command, environment=kept | self._settings | ours, **said)
        assert process.pid is not None
        self._members[process.pid] = (role, process)
