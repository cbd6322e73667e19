"""Promo codes and their redemptions."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.create_table(
        "promo_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=192), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.Column("percent", sa.BigInteger(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column(
            "duration",
            sa.Enum(
                "once", "periods", "forever", name="promoduration", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("periods", sa.Integer(), nullable=True),
        sa.Column("limit", sa.Integer(), nullable=True),
        sa.Column("limit_per_customer", sa.Integer(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(periods IS NOT NULL) = (duration = 'periods')", name=op.f("ck_promo_codes_periods_of_duration")
        ),
        sa.CheckConstraint('"limit" > 0', name=op.f("ck_promo_codes_limit_positive")),
        sa.CheckConstraint(
            "(currency IS NULL) = (amount_minor IS NULL)", name=op.f("ck_promo_codes_currency_of_amount")
        ),
        sa.CheckConstraint(
            "(percent IS NULL) <> (amount_minor IS NULL)", name=op.f("ck_promo_codes_percent_or_amount")
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_promo_codes_amount_positive")),
        sa.CheckConstraint("limit_per_customer > 0", name=op.f("ck_promo_codes_limit_per_customer_positive")),
        sa.CheckConstraint("percent > 0 AND percent <= 1000000", name=op.f("ck_promo_codes_percent_in_range")),
        sa.CheckConstraint("periods > 0", name=op.f("ck_promo_codes_periods_positive")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plans.id"], name=op.f("fk_promo_codes_plan_id_plans"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promo_codes")),
        sa.UniqueConstraint("key", name=op.f("uq_promo_codes_key")),
    )
    op.create_index(op.f("ix_promo_codes_plan_id"), "promo_codes", ["plan_id"], unique=False)
    op.create_table(
        "promo_redemptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["code_id"], ["promo_codes.id"], name=op.f("fk_promo_redemptions_code_id_promo_codes"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_promo_redemptions_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promo_redemptions")),
    )
    op.create_index("ix_promo_redemptions_code_id", "promo_redemptions", ["code_id", "customer_id"], unique=False)
    op.create_index(op.f("ix_promo_redemptions_customer_id"), "promo_redemptions", ["customer_id"], unique=False)
    op.create_index(
        "uq_promo_redemptions_subject",
        "promo_redemptions",
        ["code_id", "subject"],
        unique=True,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_promo_redemptions_subject",
        table_name="promo_redemptions",
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.drop_index(op.f("ix_promo_redemptions_customer_id"), table_name="promo_redemptions")
    op.drop_index("ix_promo_redemptions_code_id", table_name="promo_redemptions")
    op.drop_table("promo_redemptions")
    op.drop_index(op.f("ix_promo_codes_plan_id"), table_name="promo_codes")
    op.drop_table("promo_codes")
