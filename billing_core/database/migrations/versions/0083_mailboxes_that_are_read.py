"""How far the mailbox is read to which mails come back, and its reading as work that is due by the clock."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0083"
down_revision = "0082"

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
    "renewals",
    "charges",
    "reminders",
    "payment link expiry",
    "pruning",
    "usage archives",
)


def upgrade() -> None:
    op.create_table(
        "read_mailboxes",
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=False),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_read_mailboxes")),
    )
    for table in ("paused_queues", "failed_schedules"):
        checks.allow(table, "queue", "queue", (*_QUEUES, "bounces"))


def downgrade() -> None:
    for table in ("paused_queues", "failed_schedules"):
        op.execute(f"DELETE FROM {table} WHERE queue = 'bounces'")
        checks.allow(table, "queue", "queue", _QUEUES)
    op.drop_table("read_mailboxes")
