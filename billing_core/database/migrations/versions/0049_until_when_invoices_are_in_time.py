"""Until when invoices are in time: one column that every list, figure and reminder asks.

What was marked as overdue by hand stays so, from that day on. A failed payment made an invoice overdue before: now only
the gateway's word that its own invoice was not paid does.
"""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"

_LATE_AFTER: Final = (
    "CASE WHEN marked_late_after < due_on AND (failed_late_after IS NULL OR marked_late_after <= failed_late_after) "
    "THEN marked_late_after WHEN failed_late_after < due_on THEN failed_late_after ELSE due_on END"
)
_MARKED = (
    "SELECT i.id, b.time_zone, i.marked_overdue_at AS at FROM invoices i JOIN businesses b ON b.id = i.business_id "
    "WHERE i.marked_overdue_at IS NOT NULL"
)
# Since its due date was last moved ahead, or money came in: the timeline does not tell which edit moved it.
_FROM = (
    "UPDATE invoices SET failures_from = (SELECT MAX(e.at) FROM invoice_events e WHERE e.invoice_id = invoices.id "
    "AND e.kind IN ('edited', 'payment', 'credit_applied')) WHERE state = 'open' AND EXISTS (SELECT 1 "
    "FROM payment_links l WHERE l.invoice_id = invoices.id AND l.way = 'hosted_invoice')"
)
# The first failure that counts of those that were told; the last one is what the invoice itself knows.
_FIRST = (
    "SELECT MIN(w.created_at) FROM webhook_events w WHERE w.invoice_id = i.id AND w.type = 'invoice.payment_failed' "
    "AND (i.failures_from IS NULL OR w.created_at > i.failures_from) AND NOT EXISTS (SELECT 1 FROM payment_links p "
    "WHERE p.invoice_id = i.id AND p.last_paid_at >= w.created_at)"
)
_FAILED = (
    f"SELECT i.id, b.time_zone, COALESCE(({_FIRST}), i.payment_failed_at) AS at "
    "FROM invoices i JOIN businesses b ON b.id = i.business_id "
    "WHERE i.payment_failed_at IS NOT NULL AND EXISTS (SELECT 1 FROM payment_links l WHERE l.invoice_id = i.id "
    "AND l.way = 'hosted_invoice' AND l.last_failed_at = i.payment_failed_at)"
)


def upgrade() -> None:
    op.add_column("invoices", sa.Column("marked_late_after", sa.Date(), nullable=True))
    op.add_column("invoices", sa.Column("failed_late_after", sa.Date(), nullable=True))
    op.add_column("invoices", sa.Column("failures_from", sa.DateTime(timezone=True), nullable=True))
    op.execute(_FROM)
    _date("marked_late_after", _MARKED)
    _date("failed_late_after", _FAILED)
    # SQLite adds no column that it would have to store in every row, and PostgreSQL has no index on any other.
    stored = op.get_context().dialect.name != "sqlite"
    late_after = sa.Column("late_after", sa.Date(), sa.Computed(_LATE_AFTER, persisted=stored), nullable=False)
    op.add_column("invoices", late_after)
    op.drop_index("ix_invoices_due", "invoices")
    op.drop_index("ix_invoices_state", "invoices")
    late = ["state", "currency", "late_after", "business_id", "customer_id", "due_minor"]
    op.create_index("ix_invoices_late", "invoices", late)
    op.create_index("ix_invoices_state_late", "invoices", ["state", "late_after", "id"])
    failed = sa.text("payment_failed_at IS NOT NULL")
    op.create_index(
        "ix_invoices_payment_failed_at", "invoices", ["payment_failed_at"], sqlite_where=failed, postgresql_where=failed
    )


def _date(column: str, which: str) -> None:
    """The day before the instant, where the business is."""
    connection = op.get_bind()
    rows = connection.execute(sa.text(which).columns(at=sa.DateTime(timezone=True))).all()
    days = [{"key": row.id, "day": _day_before(row.time_zone, row.at)} for row in rows]
    if days:
        invoices = sa.table("invoices", sa.column("id"), sa.column(column, sa.Date))
        statement = sa.update(invoices).where(invoices.c.id == sa.bindparam("key"))
        connection.execute(statement.values({column: sa.bindparam("day", type_=sa.Date)}), days)


def _day_before(zone: str, at: datetime) -> object:
    instant = at if at.tzinfo else at.replace(tzinfo=ZoneInfo("UTC"))
    return instant.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


def downgrade() -> None:
    for index in ("ix_invoices_payment_failed_at", "ix_invoices_state_late", "ix_invoices_late"):
        op.drop_index(index, "invoices")
    op.create_index("ix_invoices_state", "invoices", ["state", "due_on", "id"])
    op.create_index("ix_invoices_due", "invoices", ["state", "currency", "due_on", "customer_id", "due_minor"])
    for column in ("late_after", "failures_from", "failed_late_after", "marked_late_after"):
        op.drop_column("invoices", column)
