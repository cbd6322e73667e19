"""The SQLite file of a process: whether it still is the one that was opened.

Where somebody deletes or replaces it while the product runs, SQLite goes on with the former one, which has no name any
more: what is written into it is lost when the last process ends. So nothing is.
"""

import os
import sqlite3
import weakref
from pathlib import Path
from threading import Lock

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError


class FileGone(sqlite3.OperationalError):
    """Nothing is written, for this reason."""


class OpenedFile:
    """The file at a path, from the first connection on."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).absolute()
        self._lock = Lock()
        self._handle: int | None = None
        self._known: os.stat_result | None = None

    def remember(self) -> None:
        """The file is there: it is the one from now on."""
        with self._lock:
            if self._known is not None:
                return
            # Held, so that no other file can get its number. A handle of this kind opens nothing: to close another one
            # would free what SQLite has locked.
            if hasattr(os, "O_PATH"):
                self._handle = os.open(self._path, os.O_PATH | os.O_CLOEXEC)
                weakref.finalize(self, os.close, self._handle)
            self._known = os.stat(self._path) if self._handle is None else os.fstat(self._handle)

    def problem(self) -> str:
        """What has become of it, in words for people; empty where it is in its place."""
        if self._known is None:
            return ""
        # A file system of the network may number it anew while it is the same.
        opened = self._known if self._handle is None else os.fstat(self._handle)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return self._said("was deleted")
        except OSError as error:
            return self._said(f"cannot be reached ({error.strerror})")
        same = (there.st_dev, there.st_ino) == (opened.st_dev, opened.st_ino)
        return "" if same else self._said("was replaced by another one")

    def check(self) -> None:
        """FileGone unless it is in its place."""
        if reason := self.problem():
            raise FileGone(reason)

    def _said(self, what: str) -> str:
        return (
            f"The database file {self._path.name} {what} while the product runs. Nothing is changed until it is back "
            "in its place, or the product has been started again."
        )


def of_engine(engine: Engine) -> OpenedFile | None:
    """The file of an engine; None where it has none."""
    found = getattr(engine.dialect, "opened_file", None)
    return found if isinstance(found, OpenedFile) else None


def problem(engine: Engine) -> str:
    """What has become of the engine's file; empty where all is well, and on PostgreSQL."""
    file = of_engine(engine)
    return file.problem() if file else ""


def reason_of(error: BaseException) -> str:
    """The reason, where something failed because the file is gone; else empty."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return str(origin) if isinstance(origin, FileGone) else ""
