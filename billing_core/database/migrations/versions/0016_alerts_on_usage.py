"""Alerts on usage: what is watched for, what is to be checked, what was reached, and mails about it."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0016"
down_revision = "0015"

_MAILS = ("invoice", "reminder_before", "reminder_due", "reminder_late", "credit_note", "statement")
_QUEUES = (
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
)


def upgrade() -> None:
    op.create_table(
        "usage_alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column(
            "measure",
            sa.Enum(
                "allowance", "calls", "cost", name="alertmeasure", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("to_customer", sa.Boolean(), nullable=False),
        sa.Column("recipients", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(measure = 'cost') = (currency <> '')", name=op.f("ck_usage_alerts_currency_of_cost")),
        sa.CheckConstraint("threshold > 0", name=op.f("ck_usage_alerts_threshold_positive")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_usage_alerts_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_alerts")),
    )
    op.create_index(
        "uq_usage_alerts_of_all",
        "usage_alerts",
        ["measure", "threshold", "currency"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL AND customer_id IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL AND customer_id IS NULL"),
    )
    op.create_index(
        "uq_usage_alerts_of_customer",
        "usage_alerts",
        ["customer_id", "measure", "threshold"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "usage_checks",
        sa.Column("customer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_usage_checks_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_usage_checks")),
    )
    op.create_index(
        "ix_usage_checks_asked_at",
        "usage_checks",
        ["asked_at"],
        unique=False,
        sqlite_where=sa.text("asked_at IS NOT NULL"),
        postgresql_where=sa.text("asked_at IS NOT NULL"),
    )
    op.create_index("ix_usage_checks_checked_at", "usage_checks", ["checked_at"], unique=False)
    op.create_table(
        "usage_thresholds_reached",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("included_calls", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["usage_alerts.id"],
            name=op.f("fk_usage_thresholds_reached_alert_id_usage_alerts"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_usage_thresholds_reached_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_thresholds_reached")),
        sa.UniqueConstraint(
            "alert_id",
            "customer_id",
            "first_day",
            "threshold",
            name="uq_usage_thresholds_reached_once",
        ),
    )
    op.create_index(
        "ix_usage_thresholds_reached_customer_id", "usage_thresholds_reached", ["customer_id", "id"], unique=False
    )
    checks.allow("mail_texts", "mailkind", "kind", (*_MAILS, "usage_alert"))
    for table in ("paused_queues", "failed_schedules"):
        checks.allow(table, "queue", "queue", (*_QUEUES, "usage alerts"))


def downgrade() -> None:
    op.execute("DELETE FROM mail_texts WHERE kind = 'usage_alert'")
    checks.allow("mail_texts", "mailkind", "kind", _MAILS)
    for table in ("paused_queues", "failed_schedules"):
        op.execute(f"DELETE FROM {table} WHERE queue = 'usage alerts'")
        checks.allow(table, "queue", "queue", _QUEUES)
    op.drop_index("ix_usage_thresholds_reached_customer_id", table_name="usage_thresholds_reached")
    op.drop_table("usage_thresholds_reached")
    op.drop_index("ix_usage_checks_checked_at", table_name="usage_checks")
    op.drop_index(
        "ix_usage_checks_asked_at",
        table_name="usage_checks",
        sqlite_where=sa.text("asked_at IS NOT NULL"),
        postgresql_where=sa.text("asked_at IS NOT NULL"),
    )
    op.drop_table("usage_checks")
    op.drop_index(
        "uq_usage_alerts_of_customer",
        table_name="usage_alerts",
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.drop_index(
        "uq_usage_alerts_of_all",
        table_name="usage_alerts",
        sqlite_where=sa.text("removed_at IS NULL AND customer_id IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL AND customer_id IS NULL"),
    )
    op.drop_table("usage_alerts")
