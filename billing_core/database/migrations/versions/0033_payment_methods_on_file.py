"""Payment methods on file."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0033"
down_revision = "0032"

_ATTEMPT = "fk_sandbox_charges_attempt_id_charge_attempts"
_BY_ATTEMPT = "SELECT id FROM sandbox_charges WHERE link_id IS NULL"


def upgrade() -> None:
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column(
            "mode",
            sa.Enum("sandbox", "test", "live", name="mode", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("gateway_customer_id", sa.String(length=255), nullable=False),
        sa.Column("gateway_id", sa.String(length=255), nullable=False),
        sa.Column("brand", sa.String(length=40), nullable=False),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("exp_month", sa.Integer(), nullable=False),
        sa.Column("exp_year", sa.Integer(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("attached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attached_by_id", sa.Integer(), nullable=True),
        sa.Column("attached_by", sa.String(length=200), nullable=False),
        sa.Column("detached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detached_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("exp_month BETWEEN 1 AND 12", name=op.f("ck_payment_methods_exp_month")),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_payment_methods_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_methods")),
        sa.UniqueConstraint("public_id", name=op.f("uq_payment_methods_public_id")),
    )
    op.create_index("ix_payment_methods_customer_id", "payment_methods", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_payment_methods_expires_on",
        "payment_methods",
        ["expires_on", "id"],
        unique=False,
        sqlite_where=sa.text("detached_at IS NULL"),
        postgresql_where=sa.text("detached_at IS NULL"),
    )
    op.create_index(
        "uq_payment_methods_attached",
        "payment_methods",
        ["mode", "gateway_id"],
        unique=True,
        sqlite_where=sa.text("detached_at IS NULL"),
        postgresql_where=sa.text("detached_at IS NULL"),
    )
    op.create_table(
        "charge_attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("method_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "started",
                "succeeded",
                "declined",
                "authentication",
                name="attemptstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("intent_id", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.Integer(), nullable=True),
        sa.Column("decline_code", sa.String(length=64), nullable=False),
        sa.Column("failure", sa.String(length=500), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("(state = 'started') = (finished_at IS NULL)", name=op.f("ck_charge_attempts_finished")),
        sa.CheckConstraint("(state = 'succeeded') = (payment_id IS NOT NULL)", name=op.f("ck_charge_attempts_payment")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_charge_attempts_amount")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_charge_attempts_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["method_id"],
            ["payment_methods.id"],
            name=op.f("fk_charge_attempts_method_id_payment_methods"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_charge_attempts_payment_id_payments"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge_attempts")),
        sa.UniqueConstraint("public_id", name=op.f("uq_charge_attempts_public_id")),
    )
    op.create_index("ix_charge_attempts_invoice_id", "charge_attempts", ["invoice_id", "id"], unique=False)
    op.create_index("ix_charge_attempts_method_id", "charge_attempts", ["method_id"], unique=False)
    op.create_index("ix_charge_attempts_payment_id", "charge_attempts", ["payment_id"], unique=False)
    op.create_index(
        "ix_charge_attempts_started_at",
        "charge_attempts",
        ["started_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'started'"),
        postgresql_where=sa.text("state = 'started'"),
    )
    op.create_index(
        "uq_charge_attempts_running",
        "charge_attempts",
        ["invoice_id"],
        unique=True,
        sqlite_where=sa.text("state = 'started'"),
        postgresql_where=sa.text("state = 'started'"),
    )
    # SQLite takes a column's foreign key only together with the column.
    op.execute(
        f"ALTER TABLE sandbox_charges ADD COLUMN attempt_id INTEGER CONSTRAINT {_ATTEMPT} "
        "REFERENCES charge_attempts (id)"
    )
    checks.allow_null("sandbox_charges", "link_id")
    op.create_index("uq_sandbox_charges_attempt_id", "sandbox_charges", ["attempt_id"], unique=True)


def downgrade() -> None:
    # No money moved by them, and the former version cannot tell what they were for.
    op.execute(f"DELETE FROM sandbox_refunds WHERE charge_id IN ({_BY_ATTEMPT})")
    op.execute("DELETE FROM sandbox_charges WHERE link_id IS NULL")
    op.drop_index("uq_sandbox_charges_attempt_id", table_name="sandbox_charges")
    checks.refuse_null("sandbox_charges", "link_id")
    op.drop_column("sandbox_charges", "attempt_id")
    op.drop_table("charge_attempts")
    op.drop_table("payment_methods")
