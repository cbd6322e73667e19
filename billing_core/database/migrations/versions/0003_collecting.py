"""Getting paid online: payment links, the gateways' webhooks, cases to settle, disputes, the sandbox's books."""

import re
from collections import defaultdict

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0003"
down_revision = "0002"

# Enumerations that got new members: table, the constraint's name, and the members.
GROWN = {
    "invoice_events": (
        "eventkind",
        *("created", "edited", "sent", "mailed", "viewed", "downloaded", "reminded", "held", "released"),
        *("marked_overdue", "payment", "payment_undone", "payment_failed", "credit_applied", "credit_note"),
        *("refunded", "written_off", "write_off_undone", "cancelled"),
        *("link_issued", "link_ended", "disputed", "dispute_closed"),
    ),
    "ledger_entries": (
        "entrykind",
        *("invoice", "payment", "refund", "credit_note", "credit_applied", "credit_paid_out", "write_off", "fee"),
        "reversal",
    ),
}


def upgrade() -> None:
    op.add_column(
        "businesses", sa.Column("collects_by", sa.String(length=32), server_default="payment_link", nullable=False)
    )
    _count_without_zeros()
    op.add_column("invoices", sa.Column("payment_url", sa.String(length=2000), nullable=True))
    op.add_column("invoices", sa.Column("stripe_invoice_id", sa.String(length=255), nullable=True))
    for name in ("gateway_key", "intent_id", "charge_id"):
        op.add_column("payments", sa.Column(name, sa.String(length=255), nullable=True))
    listed = sa.text("state <> 'cancelled' OR number IS NOT NULL")
    op.create_index(
        "ix_invoices_business", "invoices", ["business_id", "id"], sqlite_where=listed, postgresql_where=listed
    )
    op.create_index("ix_invoices_business_state", "invoices", ["business_id", "state", "id"])
    op.create_index("ix_customers_email", "customers", ["email"])
    op.create_index("ix_payments_charge_id", "payments", ["charge_id"])
    op.create_index("ix_payments_intent_id", "payments", ["intent_id"])
    op.create_index("uq_payments_gateway_key", "payments", ["gateway_key"], unique=True)
    big = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE payments ADD COLUMN fee_entry_id {big} "
        "CONSTRAINT fk_payments_fee_entry_id_ledger_entries REFERENCES ledger_entries (id)"
    )
    op.execute(
        "ALTER TABLE refunds ADD COLUMN payment_id INTEGER "
        "CONSTRAINT fk_refunds_payment_id_payments REFERENCES payments (id)"
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"])
    for table, (constraint, *members) in GROWN.items():
        checks.allow(table, constraint, "kind", members)
    op.create_table(
        "webhook_refusals",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "reason", name=op.f("pk_webhook_refusals")),
    )
    op.create_table(
        "payment_links",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column(
            "mode",
            sa.Enum("sandbox", "test", "live", name="mode", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column(
            "way",
            sa.Enum(
                "payment_link",
                "hosted_invoice",
                name="collectionway",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "issuing",
                "active",
                "paid",
                "expired",
                "deactivated",
                "failed",
                name="linkstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("charge", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("gateway_id", sa.String(length=255), nullable=True),
        sa.Column("stripe_invoice_id", sa.String(length=255), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.String(length=500), nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
        sa.Column("last_clicked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure", sa.String(length=500), nullable=False),
        sa.Column("last_paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("state <> 'active' OR url IS NOT NULL", name=op.f("ck_payment_links_active_has_url")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payment_links_amount")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_payment_links_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_links")),
        sa.UniqueConstraint("public_id", name=op.f("uq_payment_links_public_id")),
        sa.UniqueConstraint("token", name=op.f("uq_payment_links_token")),
    )
    op.create_index("ix_payment_links_gateway_id", "payment_links", ["gateway_id"], unique=False)
    op.create_index("ix_payment_links_invoice_id", "payment_links", ["invoice_id", "id"], unique=False)
    op.create_index("ix_payment_links_state", "payment_links", ["state", "expires_at", "id"], unique=False)
    op.create_index("ix_payment_links_stripe_invoice_id", "payment_links", ["stripe_invoice_id"], unique=False)
    op.create_index(
        "uq_payment_links_living",
        "payment_links",
        ["invoice_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('issuing', 'active')"),
        postgresql_where=sa.text("state IN ('issuing', 'active')"),
    )
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("api_version", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "handled",
                "ignored",
                "failed",
                name="webhookstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.Column("outcome", sa.String(length=200), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waits_for", sa.String(length=255), nullable=True),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_webhook_events_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_webhook_events_event_id")),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_webhook_events_due",
        "webhook_events",
        ["not_before", "id"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index("ix_webhook_events_invoice_id", "webhook_events", ["invoice_id"], unique=False)
    op.create_index("ix_webhook_events_state", "webhook_events", ["state", "id"], unique=False)
    op.create_index("ix_webhook_events_type", "webhook_events", ["type", "id"], unique=False)
    early = sa.text("waits_for IS NOT NULL")
    op.create_index(
        "ix_webhook_events_waits_for",
        "webhook_events",
        ["waits_for"],
        unique=False,
        sqlite_where=early,
        postgresql_where=early,
    )
    op.create_table(
        "disputes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("gateway_id", sa.String(length=255), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=100), nullable=False),
        sa.Column(
            "state",
            sa.Enum("open", "won", "lost", name="disputestate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("gateway_id", name=op.f("uq_disputes_gateway_id")),
    )
    op.create_index("ix_disputes_payment_id", "disputes", ["payment_id"], unique=False)
    op.create_index("ix_disputes_state", "disputes", ["state", "id"], unique=False)
    op.create_table(
        "payment_cases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "amount_differs",
                "currency_differs",
                "nothing_due",
                "refund_unmatched",
                "dispute_lost",
                name="casekind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("expected_minor", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.String(length=500), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.String(length=200), nullable=False),
        sa.Column("settlement", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_payment_cases_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_payment_cases_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_payment_cases_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_cases")),
        sa.UniqueConstraint("key", name=op.f("uq_payment_cases_key")),
    )
    op.create_index("ix_payment_cases_invoice_id", "payment_cases", ["invoice_id"], unique=False)
    op.create_index("ix_payment_cases_open", "payment_cases", ["settled_at", "id"], unique=False)
    op.create_index("ix_payment_cases_payment_id", "payment_cases", ["payment_id"], unique=False)
    op.create_table(
        "sandbox_charges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("intent_id", sa.String(length=255), nullable=False),
        sa.Column("charge_id", sa.String(length=255), nullable=False),
        sa.Column("link_id", sa.Integer(), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("failure", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("refunded_minor BETWEEN 0 AND amount_minor", name=op.f("ck_sandbox_charges_refunded")),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["payment_links.id"],
            name=op.f("fk_sandbox_charges_link_id_payment_links"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_charges")),
        sa.UniqueConstraint("charge_id", name=op.f("uq_sandbox_charges_charge_id")),
        sa.UniqueConstraint("intent_id", name=op.f("uq_sandbox_charges_intent_id")),
    )
    op.create_index("ix_sandbox_charges_created_at", "sandbox_charges", ["created_at", "id"], unique=False)
    op.create_index("ix_sandbox_charges_link_id", "sandbox_charges", ["link_id"], unique=False)
    op.create_table(
        "refund_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("refund_id", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "asked",
                "done",
                "refused",
                name="refundrequeststate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refund_requests_amount")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_refund_requests_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_refund_requests_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds.id"], name=op.f("fk_refund_requests_refund_id_refunds"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_requests")),
        sa.UniqueConstraint("public_id", name=op.f("uq_refund_requests_public_id")),
    )
    op.create_index("ix_refund_requests_payment_id", "refund_requests", ["payment_id", "state"], unique=False)
    op.create_table(
        "sandbox_refunds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("refund_id", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("charge_id", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["charge_id"],
            ["sandbox_charges.id"],
            name=op.f("fk_sandbox_refunds_charge_id_sandbox_charges"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_refunds")),
        sa.UniqueConstraint("key", name=op.f("uq_sandbox_refunds_key")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_sandbox_refunds_refund_id")),
    )
    op.create_index("ix_sandbox_refunds_created_at", "sandbox_refunds", ["created_at", "id"], unique=False)
    op.create_table(
        "gateway_lines",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "mode",
            sa.Enum("sandbox", "test", "live", name="mode", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("line_id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("intent_id", sa.String(length=255), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_lines")),
        sa.UniqueConstraint("mode", "line_id", name=op.f("uq_gateway_lines_mode_line_id")),
    )
    op.create_index("ix_gateway_lines_created_at", "gateway_lines", ["mode", "created_at", "id"], unique=False)
    op.create_table(
        "gateway_readings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "mode",
            sa.Enum("sandbox", "test", "live", name="mode", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_readings")),
    )
    op.create_index("ix_gateway_readings_mode", "gateway_readings", ["mode", "id"], unique=False)


def _count_without_zeros() -> None:
    """A series is one however its numbers are filled up: ``INV-2026-{seq:03}`` is ``INV-2026-{seq}`` from now on.

    Where a business has changed its zeros before, it has several: the one that it numbers by now goes on, and the
    others stay as they are, complete in themselves.
    """
    zeros = re.compile(r"\{seq(?::0?[1-9])?\}")
    connection = op.get_bind()
    alike = defaultdict(list)
    for owner, kind, series in connection.execute(sa.text("SELECT business_id, kind, series FROM number_series")):
        alike[owner, kind, zeros.sub("{seq}", series)].append(series)
    formats = {}
    for owner, *kinds in connection.execute(
        sa.text("SELECT id, invoice_format, credit_note_format FROM businesses")
    ).all():
        formats[owner] = dict(zip(("invoice", "credit_note"), kinds, strict=True))
    for (owner, kind, counter), names in alike.items():
        if counter in names:
            continue
        now = zeros.search(formats[owner][kind])
        going_on = next((name for name in names if now and now[0] in name), names[0])
        for table in ("number_series", "invoices" if kind == "invoice" else "credit_notes"):
            of_kind = " AND kind = :kind" if table == "number_series" else ""
            renamed = f"UPDATE {table} SET series = :counter WHERE business_id = :owner AND series = :was{of_kind}"
            facts = {"counter": counter, "owner": owner, "was": going_on}
            connection.execute(sa.text(renamed), facts | ({"kind": kind} if of_kind else {}))


def downgrade() -> None:
    raise NotImplementedError("payments that came in cannot be undone: restore a backup instead")
