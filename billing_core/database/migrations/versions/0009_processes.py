"""Bill runs make drafts and send invoices too, in chunks; processes say that they live.

The run tables get the names of what they hold. The audit trail keeps its word for them: it is append-only.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_RUN = "id, period_start, period_end, services, attempt, created_at, created_by_id, created_by, bound_to"
_RUN += ", cancelled_at, finished_at"
_CUSTOMER = "run_id, customer_id, outcome, report_id, reason, milliseconds, finished_at"


def upgrade() -> None:
    _create_runs("bill_runs", with_new=True)
    _create_customers("bill_run_customers", "bill_runs", with_new=True)
    op.execute(f"INSERT INTO bill_runs ({_RUN}) SELECT {_RUN} FROM report_runs")
    op.execute(
        f"INSERT INTO bill_run_customers ({_CUSTOMER}, chunk, made_report, total_minor, currency, order_count,"
        " question_count)"
        " SELECT item.run_id, item.customer_id, item.outcome, item.report_id, item.reason, item.milliseconds,"
        # In tens, as runs are planned; whole numbers on both databases.
        " item.finished_at, (row_number() OVER (PARTITION BY item.run_id ORDER BY item.customer_id) - 1) / 10,"
        " item.outcome = 'created', made.total_minor, made.currency, made.order_count, made.question_count"
        " FROM report_run_items item LEFT JOIN billing_reports made ON made.id = item.report_id"
    )
    _go_on_counting("bill_runs")
    op.drop_table("report_run_items")
    op.drop_table("report_runs")
    _index("bill_runs", "bill_run_customers")
    op.create_index("ix_bill_run_customers_chunk", "bill_run_customers", ["run_id", "chunk"])
    _index_some("ix_bill_run_customers_in_hand", "bill_run_customers", ["process_id", "run_id"], "outcome = 'waiting'")
    _index_some("ix_bill_run_customers_failed", "bill_run_customers", ["run_id"], "outcome = 'failed'")
    _index_some("ix_bill_run_customers_finished_at", "bill_run_customers", ["finished_at"], "finished_at IS NOT NULL")

    op.create_table(
        "processes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", _one_of("processkind", "app", "worker", "command"), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("in_hand", sa.JSON(), nullable=False),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_index("ix_processes_living", "processes", ["ended_at", "lost_at", "last_heard_at"])
    op.create_table(
        "paused_queues",
        sa.Column(
            "queue",
            _one_of(
                "queue",
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
            ),
            nullable=False,
        ),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_by_id", sa.Integer(), nullable=True),
        sa.Column("paused_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_paused_queues")),
    )
    op.add_column("outbox_messages", sa.Column("claimed_by", sa.String(length=40), nullable=True))
    _index_some("ix_outbox_messages_claimed_by", "outbox_messages", ["claimed_by"], "claimed_until IS NOT NULL")
    # How much was done in the last hour is looked at every few seconds.
    _index_some(
        "ix_outbox_messages_delivered_at", "outbox_messages", ["delivered_at", "channel"], "delivered_at IS NOT NULL"
    )
    _index_some("ix_webhook_events_handled_at", "webhook_events", ["handled_at"], "handled_at IS NOT NULL")


def downgrade() -> None:
    op.drop_index("ix_webhook_events_handled_at", "webhook_events")
    op.drop_index("ix_outbox_messages_delivered_at", "outbox_messages")
    op.drop_index("ix_outbox_messages_claimed_by", "outbox_messages")
    op.drop_column("outbox_messages", "claimed_by")
    op.drop_table("paused_queues")
    op.drop_table("processes")
    # A rehearsal made nothing: the former tables would show its reports as made.
    op.execute("DELETE FROM bill_run_customers WHERE run_id IN (SELECT id FROM bill_runs WHERE goal = 'rehearsal')")
    op.execute("DELETE FROM bill_runs WHERE goal = 'rehearsal'")
    # The former version knows no pauses: it would go on by itself, and can resume what was stopped.
    op.execute("UPDATE bill_runs SET cancelled_at = paused_at WHERE paused_at IS NOT NULL AND cancelled_at IS NULL")
    _create_runs("report_runs", with_new=False)
    _create_customers("report_run_items", "report_runs", with_new=False)
    op.execute(f"INSERT INTO report_runs ({_RUN}) SELECT {_RUN} FROM bill_runs")
    op.execute(f"INSERT INTO report_run_items ({_CUSTOMER}) SELECT {_CUSTOMER} FROM bill_run_customers")
    _go_on_counting("report_runs")
    op.drop_table("bill_run_customers")
    op.drop_table("bill_runs")
    _index("report_runs", "report_run_items")


def _create_runs(table: str, *, with_new: bool) -> None:
    goals = _one_of("rungoal", "rehearsal", "reports", "drafts", "sent")
    new: tuple[sa.Column[Any], ...] = (
        sa.Column("goal", goals, nullable=False, server_default="reports"),
        sa.Column("with_links", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column(
            "line_grouping", _one_of("grouping", "service", "order", "total"), nullable=False, server_default="service"
        ),
        sa.Column("tax_rate", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("all_customers", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pause_reason", sa.String(length=500), nullable=False, server_default=""),
        sa.Column("fruitless", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("done_before", sa.Integer(), nullable=False, server_default="0"),
    )
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("services", sa.String(length=500), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("bound_to", sa.Integer(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        *(new if with_new else ()),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )


def _create_customers(table: str, runs: str, *, with_new: bool) -> None:
    new: tuple[sa.Column[Any] | sa.ForeignKeyConstraint, ...] = (
        sa.Column("chunk", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("made_report", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("total_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("order_count", sa.Integer(), nullable=True),
        sa.Column("question_count", sa.Integer(), nullable=True),
        sa.Column("twice_count", sa.Integer(), nullable=True),
        sa.Column("process_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f(f"fk_{table}_invoice_id_invoices"), ondelete="RESTRICT"
        ),
    )
    op.create_table(
        table,
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("outcome", _one_of("runoutcome", "waiting", "created", "unchanged", "failed"), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        *(new if with_new else ()),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f(f"fk_{table}_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["billing_reports.id"],
            name=op.f(f"fk_{table}_report_id_billing_reports"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], [f"{runs}.id"], name=op.f(f"fk_{table}_run_id_{runs}"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("run_id", "customer_id", name=op.f(f"pk_{table}")),
    )


def _index(runs: str, customers: str) -> None:
    op.create_index(f"ix_{runs}_created_at", runs, ["created_at", "id"])
    op.create_index(f"ix_{runs}_finished_at", runs, ["finished_at"])
    op.create_index(f"ix_{customers}_outcome", customers, ["run_id", "outcome", "customer_id"])


def _index_some(name: str, table: str, columns: list[str], which: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(which), postgresql_where=sa.text(which))


def _go_on_counting(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING max(id) IS NOT NULL"
        )


def _one_of(name: str, *members: str) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, create_constraint=True, length=32)
