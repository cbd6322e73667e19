"""Where DBOS keeps its tables: in a schema of their own on PostgreSQL, or in a file beside ours on SQLite."""

from pathlib import Path

from sqlalchemy import URL


def address(ours: URL) -> str:
    """The same PostgreSQL, or ``jobs.sqlite3`` beside our SQLite file."""
    if ours.get_backend_name() == "sqlite" and ours.database:
        ours = ours.set(database=str(Path(ours.database).with_name("jobs.sqlite3")))
    return ours.render_as_string(hide_password=False)
