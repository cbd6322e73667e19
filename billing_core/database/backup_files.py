"""Backups as files: one SQLite database each, whole or not there at all."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from billing_core.database import migrate
from billing_core.database.engine import connect
from billing_core.database.files import leftovers
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.whole_files import publish

# This table identifies a database of ours: the first migration created it.
_OURS = "audit_entries"


def usual_folder(data_dir: Path) -> Path:
    """Where backups go, unless a file is named."""
    return data_dir / "backups"


def clean(data_dir: Path) -> list[Path]:
    """Take away what killed backups and restores have left in the data folder; what that was."""
    return [folder / name for folder in (data_dir, usual_folder(data_dir)) for name in leftovers.clean(folder)]


@contextmanager
def new(file: Path) -> Iterator[Engine]:
    """An empty database that becomes the file at the end, readable by its owner alone; removed after a failure. Where
    the process is killed, the next one in the same folder removes it.
    """
    if not file.parent.is_dir():
        raise Invalid(f"There is no folder {file.parent}")
    if file.exists():
        raise _there_already(file)
    leftovers.clean(file.parent)
    try:
        with leftovers.under_way(file) as partial:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            engine = connect(f"sqlite:///{partial}")
            try:
                yield engine
            finally:
                engine.dispose()
            _seal(partial)
            publish(partial, file)
    except FileExistsError:
        raise _there_already(file) from None
    except OSError as error:
        raise Invalid(f"{file} cannot be written: {error.strerror}") from None


@contextmanager
def opened(file: Path, scratch: Path) -> Iterator[Engine]:
    """The content of a backup, migrated in a copy within ``scratch``: the file itself is not changed."""
    if not file.is_file():
        raise NotFound(f"There is no file {file}")
    scratch.mkdir(parents=True, exist_ok=True)
    leftovers.clean(scratch)
    with leftovers.under_way(scratch / "restore") as folder:
        folder.mkdir(mode=0o700)
        copy = folder / "backup.sqlite3"
        _copy_whole(file, copy)
        engine = connect(f"sqlite:///{copy}")
        try:
            migrate.upgrade(engine)
            yield engine
        finally:
            engine.dispose()


def _copy_whole(file: Path, copy: Path) -> None:
    """Copy a backup of ours that is undamaged and not newer than this version; refuses anything else."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as source:
            tables = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not {_OURS, "alembic_version"} <= tables:
                raise Invalid(f"{file} is no backup: it is another database")
            revision = source.execute("SELECT version_num FROM alembic_version").fetchone()
            if revision is None or not migrate.is_known(revision[0]):
                raise Conflict(f"{file} was made by a newer version of the product: install that one first")
            with closing(sqlite3.connect(copy)) as target:
                source.backup(target)
                (problem,) = target.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise Invalid(f"{file} is no backup: it is no database") from None
        raise Invalid(f"{file} is damaged or cannot be read: {error}") from None
    if problem != "ok":
        raise Invalid(f"{file} is damaged: {str(problem).strip().splitlines()[-1]}")


def _seal(file: Path) -> None:
    """Makes it a single file that can be read from anywhere."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _there_already(file: Path) -> Conflict:
    return Conflict(f"There is a file {file} already: nothing is overwritten")
