"""Inserts with conflict handling: both databases have them, each in a form of its own."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

Insert = postgresql.Insert | sqlite.Insert


def inserts(table: Any) -> dict[str, Insert]:
    """One for each database by its name, for statements that are built once."""
    return {"sqlite": sqlite.insert(table), "postgresql": postgresql.insert(table)}


def insert_into(session: Session, table: Any) -> Insert:
    """In the form of this session's database."""
    return inserts(table)[session.get_bind().dialect.name]
