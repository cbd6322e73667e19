"""What searches look invoices up in: on SQLite a table of their folded texts by any three letters, kept by triggers; on
PostgreSQL an index, where its extension pg_trgm may be used. Without it searches find the same, and read every invoice.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "0074"
down_revision = "0073"

_SEARCHED = ("number", "customer_name", "customer_email", "reference")
# No text may contain this character.
_BETWEEN = " || '\x1f' || "


def upgrade() -> None:
    opened = sa.text("state = 'open'")
    op.create_index("ix_invoices_due", "invoices", ["due_minor", "id"], sqlite_where=opened, postgresql_where=opened)
    if op.get_bind().dialect.name == "sqlite":
        _on_sqlite()
    else:
        _on_postgresql()


def _on_sqlite() -> None:
    changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in _SEARCHED)
    for statement in (
        "CREATE VIRTUAL TABLE invoice_words USING fts5(words, tokenize = 'trigram case_sensitive 1', columnsize = 0)",
        f"INSERT INTO invoice_words (rowid, words) SELECT id, {_folded('')} FROM invoices ORDER BY id",
        "INSERT INTO invoice_words (invoice_words) VALUES ('optimize')",
        "CREATE TRIGGER invoices_words_added AFTER INSERT ON invoices BEGIN"
        f" INSERT INTO invoice_words (rowid, words) VALUES (new.id, {_folded('new.')}); END",
        f"CREATE TRIGGER invoices_words_changed AFTER UPDATE OF {', '.join(_SEARCHED)} ON invoices WHEN {changed} BEGIN"
        f" UPDATE invoice_words SET words = {_folded('new.')} WHERE rowid = new.id; END",
        "CREATE TRIGGER invoices_words_gone AFTER DELETE ON invoices BEGIN"
        " DELETE FROM invoice_words WHERE rowid = old.id; END",
    ):
        op.get_bind().exec_driver_sql(statement)


def _on_postgresql() -> None:
    try:
        with op.get_bind().begin_nested():
            op.get_bind().exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DBAPIError:
        return
    words = f"({_folded('')}) gin_trgm_ops"
    op.get_bind().exec_driver_sql(f"CREATE INDEX ix_invoices_words ON invoices USING gin ({words})")


def _folded(row: str) -> str:
    """As searches say it."""
    texts = (f"coalesce({row}{name}, '')" for name in _SEARCHED)
    return f"folded({_BETWEEN.join(texts)})"


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("added", "changed", "gone"):
            op.execute(f"DROP TRIGGER invoices_words_{change}")
        op.execute("DROP TABLE invoice_words")
    else:
        op.execute("DROP INDEX IF EXISTS ix_invoices_words")
    op.drop_index("ix_invoices_due", "invoices")
