"""A company in a file: walked through by one person, and as good as new before each step."""

import shutil
import sqlite3
from pathlib import Path

import streamlit as st

from billing_core.database import Sessions, connect


class Company:
    """``template`` is copied to ``file`` whenever somebody has written into it."""

    def __init__(self, template: Path, file: Path) -> None:
        self._template, self._file = template, file
        self._renew()

    @property
    def touched(self) -> bool:
        """Whether anything was written since it was as good as new."""
        return self._version() != self._untouched

    def as_new(self) -> None:
        if self.touched:
            self.close()
            self._renew()

    def close(self) -> None:
        self.sessions.engine.dispose()
        self._watch.close()

    def _renew(self) -> None:
        for ending in ("-wal", "-shm"):
            Path(f"{self._file}{ending}").unlink(missing_ok=True)
        shutil.copyfile(self._template, self._file)
        self.sessions = Sessions(connect(f"sqlite:///{self._file}"))
        self._watch = sqlite3.connect(self._file)
        self._untouched = self._version()
        # What pages remember is of a company that is no more.
        st.cache_data.clear()

    def _version(self) -> int:
        return int(self._watch.execute("PRAGMA data_version").fetchone()[0])


def settled(sessions: Sessions) -> None:
    """Everything in the one file, so that a copy of it is whole."""
    with sessions.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    sessions.engine.dispose()
