"""Searches for one or two letters. On SQLite what no text may contain stands twice after each that is kept, so that
one or two letters begin three, and those are looked up in order. On PostgreSQL indexes of all that one or two letters
of a text make up.
"""

from alembic import op

revision = "0089"
down_revision = "0088"

_SEARCHED = ("number", "customer_name", "customer_email", "reference")
# No text may contain this character.
_BETWEEN, _ENDED = " || '\x1f' || ", " || '\x1f\x1f'"
_WORDS = "fts5(words, tokenize = 'trigram case_sensitive 1', columnsize = 0)"
_WORDS_OF_LINES = (
    "fts5(words, content = 'invoice_words_texts', content_rowid = 'id',"
    " tokenize = 'trigram case_sensitive 1', columnsize = 0)"
)
_LETTERS = """
CREATE FUNCTION one_or_two_letters(given text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
    SELECT string_to_array(given, NULL) || ARRAY(
        SELECT one || lead(one, 1, '') OVER (ORDER BY at)
        FROM unnest(string_to_array(given, NULL)) WITH ORDINALITY AS letters (one, at))
$$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _anew_on_sqlite(_ENDED)
        for words in ("invoice_words", "invoice_words_of_lines"):
            op.get_bind().exec_driver_sql(f"CREATE VIRTUAL TABLE {words}_by_three USING fts5vocab({words}, 'instance')")
        return
    for statement in (
        _LETTERS,
        f"CREATE INDEX ix_invoices_words_short ON invoices USING gin (one_or_two_letters({_folded('')}))",
        "CREATE INDEX ix_invoices_words_of_lines_short ON invoice_line_items"
        " USING gin (one_or_two_letters(folded(coalesce(description, ''))))",
    ):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for words in ("invoice_words", "invoice_words_of_lines"):
            op.execute(f"DROP TABLE {words}_by_three")
        _anew_on_sqlite("")
    else:
        op.execute("DROP INDEX ix_invoices_words_short")
        op.execute("DROP INDEX ix_invoices_words_of_lines_short")
        op.execute("DROP FUNCTION one_or_two_letters(text)")


def _anew_on_sqlite(ended: str) -> None:
    for change in ("added", "changed", "gone"):
        op.execute(f"DROP TRIGGER invoices_words_{change}")
        op.execute(f"DROP TRIGGER invoice_words_lines_{change}")
    op.execute("DROP TABLE invoice_words")
    op.execute("DROP TABLE invoice_words_of_lines")
    for statement in (*_of_invoices(ended), *_of_lines(ended)):
        op.get_bind().exec_driver_sql(statement)


def _of_invoices(ended: str) -> tuple[str, ...]:
    changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in _SEARCHED)
    new = _folded("new.") + ended
    return (
        f"CREATE VIRTUAL TABLE invoice_words USING {_WORDS}",
        f"INSERT INTO invoice_words (rowid, words) SELECT id, {_folded('')}{ended} FROM invoices ORDER BY id",
        "INSERT INTO invoice_words (invoice_words) VALUES ('optimize')",
        "CREATE TRIGGER invoices_words_added AFTER INSERT ON invoices BEGIN"
        f" INSERT INTO invoice_words (rowid, words) VALUES (new.id, {new}); END",
        f"CREATE TRIGGER invoices_words_changed AFTER UPDATE OF {', '.join(_SEARCHED)} ON invoices WHEN {changed} BEGIN"
        f" UPDATE invoice_words SET words = {new} WHERE rowid = new.id; END",
        "CREATE TRIGGER invoices_words_gone AFTER DELETE ON invoices BEGIN"
        " DELETE FROM invoice_words WHERE rowid = old.id; END",
    )


def _of_lines(ended: str) -> tuple[str, ...]:
    new, old = f"folded(new.description){ended}", f"folded(old.description){ended}"
    added = f"""
        INSERT OR IGNORE INTO invoice_words_texts (words) VALUES ({new});
        INSERT INTO invoice_words_lines (text_id, line_id)
            SELECT id, new.id FROM invoice_words_texts WHERE words = {new};
    """
    gone = f"""
        DELETE FROM invoice_words_lines WHERE line_id = old.id
            AND text_id = (SELECT id FROM invoice_words_texts WHERE words = {old});
        DELETE FROM invoice_words_texts WHERE words = {old}
            AND NOT EXISTS (SELECT 1 FROM invoice_words_lines WHERE text_id = invoice_words_texts.id);
    """
    changed = "WHEN old.id <> new.id OR old.description <> new.description"
    return (
        f"UPDATE invoice_words_texts SET words = rtrim(words, '\x1f'){ended}",
        f"CREATE VIRTUAL TABLE invoice_words_of_lines USING {_WORDS_OF_LINES}",
        "INSERT INTO invoice_words_of_lines (invoice_words_of_lines) VALUES ('rebuild')",
        "INSERT INTO invoice_words_of_lines (invoice_words_of_lines) VALUES ('optimize')",
        f"CREATE TRIGGER invoice_words_lines_added AFTER INSERT ON invoice_line_items BEGIN {added} END",
        "CREATE TRIGGER invoice_words_lines_changed AFTER UPDATE OF id, description ON invoice_line_items"
        f" {changed} BEGIN {gone} {added} END",
        f"CREATE TRIGGER invoice_words_lines_gone AFTER DELETE ON invoice_line_items BEGIN {gone} END",
    )


def _folded(row: str) -> str:
    """As searches say it."""
    texts = (f"coalesce({row}{name}, '')" for name in _SEARCHED)
    return f"folded({_BETWEEN.join(texts)})"
