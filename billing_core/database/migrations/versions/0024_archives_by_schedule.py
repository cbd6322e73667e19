"""Archives of usage are made by a schedule too."""

from alembic import op

from billing_core.database.migrations import checks

revision = "0024"
down_revision = "0023"

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
)


def upgrade() -> None:
    for table in ("paused_queues", "failed_schedules"):
        checks.allow(table, "queue", "queue", (*_QUEUES, "usage archives"))


def downgrade() -> None:
    for table in ("paused_queues", "failed_schedules"):
        op.execute(f"DELETE FROM {table} WHERE queue = 'usage archives'")
        checks.allow(table, "queue", "queue", _QUEUES)
