"""What searches look lines up in. On SQLite each text once, folded and by any three letters, with all lines that have
it, kept by triggers; on PostgreSQL an index, where its extension pg_trgm may be used. On both, the lines of a
service.
"""

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0079"

_OF_SERVICES = sa.text("service_id IS NOT NULL")
_FILLED_AND_KEPT = (
    "CREATE TABLE invoice_words_texts (id INTEGER PRIMARY KEY, words TEXT NOT NULL UNIQUE)",
    "CREATE TABLE invoice_words_lines (text_id INTEGER NOT NULL, line_id INTEGER NOT NULL,"
    " PRIMARY KEY (text_id, line_id)) WITHOUT ROWID",
    "CREATE VIRTUAL TABLE invoice_words_of_lines USING fts5(words, content = 'invoice_words_texts',"
    " content_rowid = 'id', tokenize = 'trigram case_sensitive 1', columnsize = 0)",
    "INSERT INTO invoice_words_texts (words) SELECT DISTINCT folded(description) FROM invoice_line_items",
    "INSERT INTO invoice_words_lines (text_id, line_id) SELECT t.id, l.id FROM invoice_line_items l"
    " JOIN invoice_words_texts t ON t.words = folded(l.description) ORDER BY t.id, l.id",
    "INSERT INTO invoice_words_of_lines (invoice_words_of_lines) VALUES ('rebuild')",
    "INSERT INTO invoice_words_of_lines (invoice_words_of_lines) VALUES ('optimize')",
    "CREATE TRIGGER invoice_words_texts_added AFTER INSERT ON invoice_words_texts BEGIN"
    " INSERT INTO invoice_words_of_lines (rowid, words) VALUES (new.id, new.words); END",
    "CREATE TRIGGER invoice_words_texts_gone AFTER DELETE ON invoice_words_texts BEGIN"
    " INSERT INTO invoice_words_of_lines (invoice_words_of_lines, rowid, words)"
    " VALUES ('delete', old.id, old.words); END",
)
_ADDED = """
    INSERT OR IGNORE INTO invoice_words_texts (words) VALUES (folded(new.description));
    INSERT INTO invoice_words_lines (text_id, line_id)
        SELECT id, new.id FROM invoice_words_texts WHERE words = folded(new.description);
"""
_GONE = """
    DELETE FROM invoice_words_lines WHERE line_id = old.id
        AND text_id = (SELECT id FROM invoice_words_texts WHERE words = folded(old.description));
    DELETE FROM invoice_words_texts WHERE words = folded(old.description)
        AND NOT EXISTS (SELECT 1 FROM invoice_words_lines WHERE text_id = invoice_words_texts.id);
"""
_TRIGGERS = {
    "added": f"AFTER INSERT ON invoice_line_items BEGIN {_ADDED} END",
    "changed": "AFTER UPDATE OF id, description ON invoice_line_items"
    f" WHEN old.id <> new.id OR old.description <> new.description BEGIN {_GONE} {_ADDED} END",
    "gone": f"AFTER DELETE ON invoice_line_items BEGIN {_GONE} END",
}


def upgrade() -> None:
    name, columns = "ix_invoice_line_items_service_id", ["service_id", "invoice_id"]
    op.create_index(name, "invoice_line_items", columns, sqlite_where=_OF_SERVICES, postgresql_where=_OF_SERVICES)
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for statement in _FILLED_AND_KEPT:
            connection.exec_driver_sql(statement)
        for change, what in _TRIGGERS.items():
            connection.exec_driver_sql(f"CREATE TRIGGER invoice_words_lines_{change} {what}")
    elif connection.scalar(sa.text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")):
        connection.exec_driver_sql(
            "CREATE INDEX ix_invoices_words_of_lines ON invoice_line_items"
            " USING gin (folded(coalesce(description, '')) gin_trgm_ops)"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in _TRIGGERS:
            op.execute(f"DROP TRIGGER invoice_words_lines_{change}")
        for kept in ("of_lines", "lines", "texts"):
            op.execute(f"DROP TABLE invoice_words_{kept}")
    else:
        op.execute("DROP INDEX IF EXISTS ix_invoices_words_of_lines")
    op.drop_index("ix_invoice_line_items_service_id", "invoice_line_items")
