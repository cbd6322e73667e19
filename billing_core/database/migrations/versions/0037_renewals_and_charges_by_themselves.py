"""Renewals and charges by themselves."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0037"
down_revision = "0036"

_QUEUES = (
    "bill runs",
    "imports",
    "mails",
    "gateway messages",
    "outgoing webhooks",
    "incoming webhooks",
    "ledger seals",
    "usage alerts",
    "prepaid credit",
    "reminders",
    "payment link expiry",
    "pruning",
    "usage archives",
)


def upgrade() -> None:
    for table in ("paused_queues", "failed_schedules"):
        checks.allow(table, "queue", "queue", (*_QUEUES, "renewals", "charges"))
    op.create_index("ix_charge_attempts_finished_at", "charge_attempts", ["finished_at"], unique=False)
    op.create_index("ix_subscription_invoices_created_at", "subscription_invoices", ["created_at"], unique=False)
    op.create_index(
        "ix_subscriptions_held_at",
        "subscriptions",
        ["held_at"],
        unique=False,
        sqlite_where=sa.text("held_at IS NOT NULL"),
        postgresql_where=sa.text("held_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_subscriptions_held_at",
        table_name="subscriptions",
        sqlite_where=sa.text("held_at IS NOT NULL"),
        postgresql_where=sa.text("held_at IS NOT NULL"),
    )
    op.drop_index("ix_subscription_invoices_created_at", table_name="subscription_invoices")
    op.drop_index("ix_charge_attempts_finished_at", table_name="charge_attempts")
    for table in ("paused_queues", "failed_schedules"):
        op.execute(f"DELETE FROM {table} WHERE queue IN ('renewals', 'charges')")
        checks.allow(table, "queue", "queue", _QUEUES)
