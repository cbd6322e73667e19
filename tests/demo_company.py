"""Demo companies for tests. To fill one takes longer than most tests do: each is filled once, by whichever worker comes
first, and read or copied by all.
"""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from billing_core import demo
from billing_core.database import Sessions, connect
from billing_core.demo import service
from billing_core.identity import SYSTEM

# ``demo_company("copies", added, orders=50, …)``: see DemoCompanies.file.
DemoCompany = Callable[..., Path]


class DemoCompanies:
    def __init__(self, template: Path, workers_folder: Path) -> None:
        """``template``: a migrated, empty SQLite file to begin from. ``workers_folder``: pytest's for this worker."""
        self._template = template
        self._folder = workers_folder.parent if "PYTEST_XDIST_WORKER" in os.environ else workers_folder

    def file(self, name: str, added: Callable[[Sessions], None] = lambda _: None, **facts: Any) -> Path:
        """A file of SQLite with a company filled with these facts, and with what ``added(sessions)`` adds to it. It is
        for all workers, and not to be changed.
        """
        file = self._folder / f"{name}.sqlite3"
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                self._fill(self._folder / f"{name}_growing.sqlite3", added, facts).rename(file)
        return file

    def _fill(self, file: Path, added: Callable[[Sessions], None], facts: dict[str, Any]) -> Path:
        shutil.copyfile(self._template, file)
        sessions = Sessions(connect(f"sqlite:///{file}"))
        with pytest.MonkeyPatch.context() as nobody_else_works:
            nobody_else_works.setattr(service, "_PAUSE_SECONDS", 0)
            demo.fill(sessions, SYSTEM, **facts)
        added(sessions)
        settled(sessions)
        return file


def settled(sessions: Sessions) -> None:
    """Everything in the one file, so that a copy of it is whole."""
    with sessions.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    sessions.engine.dispose()
