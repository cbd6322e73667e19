"""What banks take back of payments for good, and what the gateway keeps for a dispute."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0054"
down_revision = "0053"

_ENTRIES = (
    "invoice",
    "payment",
    "refund",
    "credit_note",
    "credit_applied",
    "credit_paid_out",
    "write_off",
    "fee",
    "prepaid_granted",
    "prepaid_ended",
    "reversal",
)


def upgrade() -> None:
    for table in ("ledger_entries", "ledger_days"):
        checks.allow(table, "entrykind", "kind", (*_ENTRIES, "chargeback"))
    op.create_table(
        "chargebacks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=False),
        sa.Column(
            "source",
            sa.Enum(
                "invoice",
                "credit",
                "loss",
                name="chargebacksource",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("write_off_entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("returned_on", sa.Date(), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("returned_entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("(source = 'invoice') = (invoice_id IS NOT NULL)", name=op.f("ck_chargebacks_invoice")),
        sa.CheckConstraint("(returned_at IS NULL) = (returned_entry_id IS NULL)", name=op.f("ck_chargebacks_returned")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_chargebacks_amount")),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["ledger_entries.id"],
            name=op.f("fk_chargebacks_entry_id_ledger_entries"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_chargebacks_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_chargebacks_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["returned_entry_id"],
            ["ledger_entries.id"],
            name=op.f("fk_chargebacks_returned_entry_id_ledger_entries"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["write_off_entry_id"],
            ["ledger_entries.id"],
            name=op.f("fk_chargebacks_write_off_entry_id_ledger_entries"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chargebacks")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_chargebacks_entry_id")),
    )
    op.create_index("ix_chargebacks_invoice_id", "chargebacks", ["invoice_id"], unique=False)
    op.create_index("ix_chargebacks_key", "chargebacks", ["key"], unique=False)
    op.create_index("ix_chargebacks_payment_id", "chargebacks", ["payment_id"], unique=False)
    op.add_column("disputes", sa.Column("fee_minor", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("disputes", "fee_minor")
    op.drop_index("ix_chargebacks_payment_id", table_name="chargebacks")
    op.drop_index("ix_chargebacks_key", table_name="chargebacks")
    op.drop_index("ix_chargebacks_invoice_id", table_name="chargebacks")
    op.drop_table("chargebacks")
    for table in ("ledger_entries", "ledger_days"):
        checks.allow(table, "entrykind", "kind", _ENTRIES)
