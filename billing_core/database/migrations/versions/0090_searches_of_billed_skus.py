"""The SKUs of the orders that an invoice bills, by which searches find it: also those of what is billed already."""

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0089"

_BILLED = """
INSERT INTO billed_skus (invoice_id, words)
SELECT invoice_id, folded({aggregate}(sku_key, '\x1f')) || '\x1f\x1f'
FROM (
    SELECT DISTINCT billed.invoice_id, order_lines.sku_key
    FROM (
        SELECT DISTINCT linked.invoice_id, charge.order_id
        FROM invoiced_reports linked JOIN report_charges charge ON charge.report_id = linked.report_id
        WHERE charge.amount_minor <> 0 AND EXISTS (
            SELECT 1 FROM invoice_line_items line
            WHERE line.invoice_id = linked.invoice_id AND line.report_id = linked.report_id
                AND (line.service_id IS NULL OR line.service_id = charge.service_id))
    ) billed JOIN order_lines ON order_lines.order_id = billed.order_id
    ORDER BY 1, 2
) named GROUP BY invoice_id
"""
_FOUND_ON_SQLITE = (
    "CREATE VIRTUAL TABLE invoice_words_of_skus USING fts5(words, content = 'billed_skus',"
    " content_rowid = 'invoice_id', tokenize = 'trigram case_sensitive 1', columnsize = 0)",
    "INSERT INTO invoice_words_of_skus (invoice_words_of_skus) VALUES ('rebuild')",
    "INSERT INTO invoice_words_of_skus (invoice_words_of_skus) VALUES ('optimize')",
    "CREATE VIRTUAL TABLE invoice_words_of_skus_by_three USING fts5vocab(invoice_words_of_skus, 'instance')",
    "CREATE TRIGGER invoice_words_of_skus_added AFTER INSERT ON billed_skus BEGIN"
    " INSERT INTO invoice_words_of_skus (rowid, words) VALUES (new.invoice_id, new.words); END",
    "CREATE TRIGGER invoice_words_of_skus_gone AFTER DELETE ON billed_skus BEGIN"
    " INSERT INTO invoice_words_of_skus (invoice_words_of_skus, rowid, words)"
    " VALUES ('delete', old.invoice_id, old.words); END",
)
_SHORT = "CREATE INDEX ix_invoices_words_of_skus_short ON billed_skus USING gin (one_or_two_letters(words))"
_FOUND = "CREATE INDEX ix_invoices_words_of_skus ON billed_skus USING gin (words gin_trgm_ops)"


def upgrade() -> None:
    op.create_table(
        "billed_skus",
        sa.Column("invoice_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_billed_skus_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_billed_skus")),
    )
    connection = op.get_bind()
    on_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql(_BILLED.format(aggregate="group_concat" if on_sqlite else "string_agg"))
    if on_sqlite:
        for statement in _FOUND_ON_SQLITE:
            connection.exec_driver_sql(statement)
        return
    connection.exec_driver_sql(_SHORT)
    if connection.scalar(sa.text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")):
        connection.exec_driver_sql(_FOUND)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE invoice_words_of_skus_by_three")
        op.execute("DROP TABLE invoice_words_of_skus")
    op.drop_table("billed_skus")
