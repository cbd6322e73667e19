"""Bringing a database up to date, and checking whether it is."""

from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from billing_core.database.engine import for_changes
from billing_core.errors import Conflict

_MIGRATIONS = Path(__file__).parent / "migrations"
# Two processes that start at once on PostgreSQL must not both migrate.
_ADVISORY_LOCK = 7_236_114
_NEWER = "The database was made by a newer version of the product: install that one"


def configuration(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine) -> bool:
    """Apply missing migrations in one transaction; returns whether there were any. Refuses a newer database."""
    with for_changes(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        before = MigrationContext.configure(connection).get_current_revision()
        if before == head():
            return False
        if before is not None and not is_known(before):
            raise Conflict(_NEWER)
        command.upgrade(configuration(connection), "head")
        return True


def declared(_item: Any, name: str | None, _kind: str, _stored: bool, _same: Any) -> bool:
    """Whether the models declare it: all but what ``invoices/content/searching.py`` looks up in."""
    return not (name or "").startswith(("invoice_words", "ix_invoices_words"))


def head() -> str | None:
    """The newest revision that this code knows."""
    return _scripts().get_current_head()


def is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head()


def refuse_outdated(engine: Engine) -> None:
    """Conflict unless the database has exactly what this code expects."""
    with engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None and not is_known(revision):
        raise Conflict(_NEWER)
    if revision != head():
        raise Conflict("The database is not up to date: run “python -m billing_core migrate” first")


def is_known(revision: str) -> bool:
    """Whether this code can migrate a database of that revision."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


@cache
def _scripts() -> ScriptDirectory:
    """All migrations. To read them takes thirty milliseconds, which whoever asks for the health would pay each time."""
    return ScriptDirectory.from_config(configuration())
