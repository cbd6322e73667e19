"""Faults of databases, each in one sentence for the person at the terminal."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from billing_core import runtime
from billing_core.database import migrate
from billing_core.errors import Conflict

# The errors of another version's database: a missing table, column or function.
_MISSING_ON_SQLITE = ("no such table", "no such column", "has no column")
_MISSING_ON_POSTGRESQL = {"42P01", "42703", "42883"}
# A read-only database, and an account without the necessary rights.
_REFUSED_BY_POSTGRESQL = {"25006", "42501"}


def sentence(error: Exception) -> str | None:
    """What failed, without any value of a row or address; None where it is a bug of ours."""
    match error:
        case DBAPIError():
            return _of_database(error.orig)
        case sqlite3.Error():
            return _of_database(error)
    return None


def _of_database(error: BaseException | None) -> str | None:
    # The lines after the first repeat values.
    reason = (str(error).strip().splitlines() or [""])[0]
    state = getattr(error, "sqlstate", None)
    missing_on_sqlite = isinstance(error, sqlite3.Error) and any(words in reason for words in _MISSING_ON_SQLITE)
    if state in _MISSING_ON_POSTGRESQL or missing_on_sqlite:
        return _outdated()
    names = {kind.__name__ for kind in type(error).__mro__}
    if "OperationalError" in names or state in _REFUSED_BY_POSTGRESQL or type(error) is sqlite3.DatabaseError:
        return f"The database cannot be reached or used: {reason}"
    return None


def _outdated() -> str | None:
    try:
        migrate.refuse_outdated(runtime.sessions().engine)
    except Conflict as refusal:
        return str(refusal)
    return None
