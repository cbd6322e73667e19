"""What is due by the clock and failed the last time is kept, for those whom it concerns."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "failed_schedules",
        sa.Column(
            "queue",
            sa.Enum(
                "bill runs",
                "imports",
                "mails",
                "gateway messages",
                "outgoing webhooks",
                "incoming webhooks",
                "ledger seals",
                "reminders",
                "payment link expiry",
                "pruning",
                name="queue",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_failed_schedules")),
    )


def downgrade() -> None:
    op.drop_table("failed_schedules")
