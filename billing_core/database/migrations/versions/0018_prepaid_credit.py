"""Prepaid credit: what is sold and granted, what becomes of it, and its accounts in the ledger."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0018"
down_revision = "0017"

_ACCOUNTS = ("receivable", "revenue", "tax_payable", "cash", "fees", "customer_credit", "bad_debt")
_ENTRIES = (
    "invoice",
    "payment",
    "refund",
    "credit_note",
    "credit_applied",
    "credit_paid_out",
    "write_off",
    "fee",
    "reversal",
)
_QUEUES = (
    "bill runs",
    "imports",
    "mails",
    "gateway messages",
    "outgoing webhooks",
    "incoming webhooks",
    "ledger seals",
    "usage alerts",
    "reminders",
    "payment link expiry",
    "pruning",
)


def upgrade() -> None:
    for table in ("ledger_postings", "ledger_days"):
        checks.allow(table, "account", "account", (*_ACCOUNTS, "prepaid_credit", "promotion"))
    for table in ("ledger_entries", "ledger_days"):
        checks.allow(table, "entrykind", "kind", (*_ENTRIES, "prepaid_granted", "prepaid_ended"))
    checks.allow("payment_allocations", "allocationkind", "kind", ("payment", "credit", "prepaid"))
    for table in ("paused_queues", "failed_schedules"):
        checks.allow(table, "queue", "queue", (*_QUEUES, "prepaid credit"))
    op.create_table(
        "prepaid_purchases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("valid_days > 0", name=op.f("ck_prepaid_purchases_valid_days")),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_prepaid_purchases_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_prepaid_purchases_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prepaid_purchases")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_prepaid_purchases_invoice_id")),
    )
    op.create_index("ix_prepaid_purchases_customer_id", "prepaid_purchases", ["customer_id", "id"], unique=False)
    op.create_table(
        "prepaid_grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("business_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "origin",
            sa.Enum("given", "bought", name="origin", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("purchase_id", sa.Integer(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("remaining_minor", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_minor", sa.BigInteger(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("(origin = 'bought') = (purchase_id IS NOT NULL)", name=op.f("ck_prepaid_grants_bought")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_prepaid_grants_amount")),
        sa.CheckConstraint("remaining_minor BETWEEN 0 AND amount_minor", name=op.f("ck_prepaid_grants_remaining")),
        sa.CheckConstraint(
            "withdrawn_minor BETWEEN 0 AND amount_minor - remaining_minor", name=op.f("ck_prepaid_grants_withdrawn")
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["businesses.id"],
            name=op.f("fk_prepaid_grants_business_id_businesses"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_prepaid_grants_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["ledger_entries.id"],
            name=op.f("fk_prepaid_grants_entry_id_ledger_entries"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["purchase_id"],
            ["prepaid_purchases.id"],
            name=op.f("fk_prepaid_grants_purchase_id_prepaid_purchases"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prepaid_grants")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_prepaid_grants_entry_id")),
        sa.UniqueConstraint("purchase_id", name=op.f("uq_prepaid_grants_purchase_id")),
    )
    op.create_index("ix_prepaid_grants_created_at", "prepaid_grants", ["created_at"], unique=False)
    op.create_index("ix_prepaid_grants_customer_id", "prepaid_grants", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_prepaid_grants_expires_on",
        "prepaid_grants",
        ["expires_on"],
        unique=False,
        sqlite_where=sa.text("remaining_minor > 0"),
        postgresql_where=sa.text("remaining_minor > 0"),
    )
    op.create_index(
        "ix_prepaid_grants_left",
        "prepaid_grants",
        ["customer_id", "business_id", "currency"],
        unique=False,
        sqlite_where=sa.text("remaining_minor > 0"),
        postgresql_where=sa.text("remaining_minor > 0"),
    )
    op.create_table(
        "prepaid_movements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("grant_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "used",
                "released",
                "refunded",
                "expired",
                "withdrawn",
                "restored",
                name="movementkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("allocation_id", sa.Integer(), nullable=True),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("moved_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('used', 'released', 'refunded')) = (allocation_id IS NOT NULL)",
            name=op.f("ck_prepaid_movements_of_allocation"),
        ),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_prepaid_movements_amount")),
        sa.ForeignKeyConstraint(
            ["allocation_id"],
            ["payment_allocations.id"],
            name=op.f("fk_prepaid_movements_allocation_id_payment_allocations"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["ledger_entries.id"],
            name=op.f("fk_prepaid_movements_entry_id_ledger_entries"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"],
            ["prepaid_grants.id"],
            name=op.f("fk_prepaid_movements_grant_id_prepaid_grants"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prepaid_movements")),
    )
    op.create_index("ix_prepaid_movements_allocation_id", "prepaid_movements", ["allocation_id"], unique=False)
    op.create_index("ix_prepaid_movements_created_at", "prepaid_movements", ["created_at"], unique=False)
    op.create_index("ix_prepaid_movements_grant_id", "prepaid_movements", ["grant_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_prepaid_movements_grant_id", table_name="prepaid_movements")
    op.drop_index("ix_prepaid_movements_created_at", table_name="prepaid_movements")
    op.drop_index("ix_prepaid_movements_allocation_id", table_name="prepaid_movements")
    op.drop_table("prepaid_movements")
    op.drop_index(
        "ix_prepaid_grants_left",
        table_name="prepaid_grants",
        sqlite_where=sa.text("remaining_minor > 0"),
        postgresql_where=sa.text("remaining_minor > 0"),
    )
    op.drop_index(
        "ix_prepaid_grants_expires_on",
        table_name="prepaid_grants",
        sqlite_where=sa.text("remaining_minor > 0"),
        postgresql_where=sa.text("remaining_minor > 0"),
    )
    op.drop_index("ix_prepaid_grants_customer_id", table_name="prepaid_grants")
    op.drop_index("ix_prepaid_grants_created_at", table_name="prepaid_grants")
    op.drop_table("prepaid_grants")
    op.drop_index("ix_prepaid_purchases_customer_id", table_name="prepaid_purchases")
    op.drop_table("prepaid_purchases")
    checks.allow("payment_allocations", "allocationkind", "kind", ("payment", "credit"))
    for table in ("paused_queues", "failed_schedules"):
        op.execute(f"DELETE FROM {table} WHERE queue = 'prepaid credit'")
        checks.allow(table, "queue", "queue", _QUEUES)
    for table in ("ledger_postings", "ledger_days"):
        checks.allow(table, "account", "account", _ACCOUNTS)
    for table in ("ledger_entries", "ledger_days"):
        checks.allow(table, "entrykind", "kind", _ENTRIES)
