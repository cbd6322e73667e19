"""What billed periods of usage are made of, and what changed them afterwards."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "usage_settlements",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("period_id", _BIG_ID, nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "invoiced",
                "credited",
                "waived",
                "nothing",
                "billed_anew",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("outcome = 'invoiced' OR invoice_id IS NULL", name=op.f("ck_usage_settlements_invoiced")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_usage_settlements_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["period_id"],
            ["usage_periods.id"],
            name=op.f("fk_usage_settlements_period_id_usage_periods"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_settlements")),
    )
    op.create_index("ix_usage_settlements_invoice_id", "usage_settlements", ["invoice_id"], unique=False)
    op.create_index("ix_usage_settlements_period_id", "usage_settlements", ["period_id"], unique=False)
    op.create_table(
        "usage_late_items",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("period_id", _BIG_ID, nullable=False),
        sa.Column(
            "kind",
            sa.Enum("arrived", "withdrawn", name="latekind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("bucket_id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "wanted",
            sa.Enum(
                "next_invoice",
                "own_document",
                "waive",
                name="lateusage",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("settlement_id", _BIG_ID, nullable=True),
        sa.CheckConstraint(
            "(calls = 1) = (kind = 'arrived') AND abs(calls) = 1", name=op.f("ck_usage_late_items_signed")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_usage_late_items_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name=op.f("fk_usage_late_items_meter_id_meters"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["period_id"],
            ["usage_periods.id"],
            name=op.f("fk_usage_late_items_period_id_usage_periods"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["usage_settlements.id"],
            name=op.f("fk_usage_late_items_settlement_id_usage_settlements"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_late_items")),
        sa.UniqueConstraint(
            "customer_id", "event_id", "kind", name=op.f("uq_usage_late_items_customer_id_event_id_kind")
        ),
    )
    op.create_index("ix_usage_late_items_period_id", "usage_late_items", ["period_id", "meter_id", "id"], unique=False)
    op.create_index("ix_usage_late_items_settlement_id", "usage_late_items", ["settlement_id"], unique=False)
    op.create_table(
        "usage_lines",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("period_id", _BIG_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("bucket_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("whole", sa.BigInteger(), nullable=False),
        sa.Column("millionths", sa.BigInteger(), nullable=False),
        sa.Column("included", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("settlement_id", _BIG_ID, nullable=True),
        sa.CheckConstraint(
            "amount_minor >= 0 OR settlement_id IS NOT NULL", name=op.f("ck_usage_lines_amount_not_negative")
        ),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_usage_lines_in_order")),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name=op.f("fk_usage_lines_meter_id_meters"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["period_id"],
            ["usage_periods.id"],
            name=op.f("fk_usage_lines_period_id_usage_periods"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_usage_lines_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["usage_settlements.id"],
            name=op.f("fk_usage_lines_settlement_id_usage_settlements"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_lines")),
    )
    op.create_index(
        "ix_usage_lines_period_id",
        "usage_lines",
        ["period_id", "position"],
        unique=True,
        sqlite_where=sa.text("settlement_id IS NULL"),
        postgresql_where=sa.text("settlement_id IS NULL"),
    )
    op.create_index("ix_usage_lines_settlement_id", "usage_lines", ["settlement_id"], unique=False)
    op.add_column("invoice_line_items", sa.Column("usage_line_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_invoice_line_items_usage_line_id",
        "invoice_line_items",
        ["usage_line_id"],
        unique=False,
        sqlite_where=sa.text("usage_line_id IS NOT NULL"),
        postgresql_where=sa.text("usage_line_id IS NOT NULL"),
    )
    op.add_column(
        "businesses", sa.Column("late_usage", sa.String(length=32), server_default="next_invoice", nullable=False)
    )
    op.add_column(
        "businesses", sa.Column("late_usage_reason", sa.String(length=500), server_default="", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("businesses", "late_usage_reason")
    op.drop_column("businesses", "late_usage")
    op.drop_index("ix_invoice_line_items_usage_line_id", table_name="invoice_line_items")
    op.drop_column("invoice_line_items", "usage_line_id")
    op.drop_table("usage_lines")
    op.drop_table("usage_late_items")
    op.drop_table("usage_settlements")
