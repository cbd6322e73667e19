"""A database as somebody could leave it who has it in their hands."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def as_if_nothing_refused(session: Session, *statements: str) -> None:
    """Without the triggers and foreign keys that keep what was posted as it is."""
    if session.get_bind().dialect.name == "sqlite":
        for table in ("ledger_entries", "ledger_postings", "ledger_seals"):
            session.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_update"))
            session.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_delete"))
        session.execute(text("DROP TRIGGER IF EXISTS ledger_postings_no_other_customer"))
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
    else:
        session.execute(text("SET LOCAL session_replication_role = replica"))
    for statement in statements:
        session.execute(text(statement))
