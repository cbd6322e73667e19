"""Orders that are billed once: which services of which orders stand on an invoice, from what their reports charged.

Invoices that were cancelled, or wholly credited, bill nothing any more; what was written off was billed. Whoever
invoiced a report a second time confirmed it then, without a reason. Other orders on two invoices are named by
``verify``.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"

_CREDITED: Final = (
    "(SELECT COALESCE(SUM(n.total_minor), 0) FROM credit_notes n WHERE n.invoice_id = i.id) = i.total_minor"
)
_RELEASED: Final = (
    "UPDATE invoiced_reports SET released_at = (SELECT COALESCE(i.cancelled_at, i.updated_at) FROM invoices i "
    "WHERE i.id = invoiced_reports.invoice_id) WHERE EXISTS (SELECT 1 FROM invoices i "
    "WHERE i.id = invoiced_reports.invoice_id "
    f"AND (i.state = 'cancelled' AND i.written_off_minor = 0 OR i.total_minor > 0 AND {_CREDITED}))"
)
_CONFIRMED: Final = (
    "UPDATE invoiced_reports SET again_reason = 'Confirmed when it was invoiced again' WHERE released_at IS NULL "
    "AND EXISTS (SELECT 1 FROM invoiced_reports o JOIN billing_reports theirs ON theirs.id = o.report_id "
    "JOIN billing_reports ours ON ours.customer_id = theirs.customer_id AND ours.period_start = theirs.period_start "
    "AND ours.period_end = theirs.period_end AND ours.services = theirs.services "
    "WHERE ours.id = invoiced_reports.report_id AND o.invoice_id < invoiced_reports.invoice_id "
    "AND o.released_at IS NULL)"
)
# Of two reports on one invoice the first.
_BILLED: Final = (
    "SELECT c.order_id, c.service_id, r.invoice_id, MIN(r.report_id) AS report_id "
    "FROM invoiced_reports r JOIN report_charges c ON c.report_id = r.report_id "
    "WHERE r.released_at IS NULL AND c.amount_minor <> 0 AND EXISTS (SELECT 1 FROM invoice_line_items l "
    "WHERE l.invoice_id = r.invoice_id AND l.report_id = r.report_id "
    "AND (l.service_id IS NULL OR l.service_id = c.service_id)) GROUP BY c.order_id, c.service_id, r.invoice_id"
)
_FILLED: Final = (
    "INSERT INTO billed_orders (order_id, service_id, again, invoice_id, report_id) "
    "SELECT order_id, service_id, CASE WHEN ROW_NUMBER() OVER (PARTITION BY order_id, service_id ORDER BY invoice_id) "
    f"= 1 THEN 0 ELSE invoice_id END, invoice_id, report_id FROM ({_BILLED}) AS billed"
)


def upgrade() -> None:
    op.create_table(
        "billed_orders",
        sa.Column(
            "order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("service_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("again", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("again IN (0, invoice_id)", name=op.f("ck_billed_orders_again")),
        sa.ForeignKeyConstraint(
            ["invoice_id", "report_id"],
            ["invoiced_reports.invoice_id", "invoiced_reports.report_id"],
            name=op.f("fk_billed_orders_invoice_id_invoiced_reports"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("order_id", "service_id", "again", name=op.f("pk_billed_orders")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_billed_orders_invoice_id", "billed_orders", ["invoice_id", "report_id"], unique=False)
    again = sa.text("again <> 0")
    op.create_index("ix_billed_orders_again", "billed_orders", ["again"], sqlite_where=again, postgresql_where=again)
    op.add_column(
        "invoiced_reports", sa.Column("again_reason", sa.String(length=500), server_default="", nullable=False)
    )
    op.add_column("invoiced_reports", sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_RELEASED)
    op.execute(_CONFIRMED)
    op.execute(_FILLED)


def downgrade() -> None:
    op.drop_column("invoiced_reports", "released_at")
    op.drop_column("invoiced_reports", "again_reason")
    op.drop_index("ix_billed_orders_again", table_name="billed_orders")
    op.drop_index("ix_billed_orders_invoice_id", table_name="billed_orders")
    op.drop_table("billed_orders")
