"""Subscriptions."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("business_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("add_ons", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("tax_rate", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "incomplete",
                "trialing",
                "active",
                "past_due",
                "unpaid",
                "canceled",
                name="subscriptionstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("anchor_day", sa.Date(), nullable=False),
        sa.Column("anchor_time", sa.Time(), nullable=False),
        sa.Column("anchor_number", sa.Integer(), nullable=False),
        sa.Column("period_number", sa.Integer(), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trial_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trial_reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_method_id", sa.Integer(), nullable=True),
        sa.Column("redemption_id", sa.Integer(), nullable=True),
        sa.Column("promo_periods_used", sa.Integer(), nullable=False),
        sa.Column("cancel_at_period_end", sa.Boolean(), nullable=False),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.String(length=500), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold_reason", sa.String(length=500), nullable=False),
        sa.Column("caught_up_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(state = 'canceled') = (canceled_at IS NOT NULL)", name=op.f("ck_subscriptions_canceled")),
        sa.CheckConstraint("state <> 'trialing' OR trial_ends_at IS NOT NULL", name=op.f("ck_subscriptions_trial")),
        sa.CheckConstraint("seats >= 1", name=op.f("ck_subscriptions_seats")),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["businesses.id"],
            name=op.f("fk_subscriptions_business_id_businesses"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_subscriptions_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["payment_method_id"],
            ["payment_methods.id"],
            name=op.f("fk_subscriptions_payment_method_id_payment_methods"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_subscriptions_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["redemption_id"],
            ["promo_redemptions.id"],
            name=op.f("fk_subscriptions_redemption_id_promo_redemptions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("public_id", name=op.f("uq_subscriptions_public_id")),
    )
    op.create_index("ix_subscriptions_customer_id", "subscriptions", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_subscriptions_next_at",
        "subscriptions",
        ["next_at", "id"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL AND held_at IS NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL AND held_at IS NULL"),
    )
    op.create_index("ix_subscriptions_plan_version_id", "subscriptions", ["plan_version_id"], unique=False)
    op.create_index("ix_subscriptions_state", "subscriptions", ["state", "id"], unique=False)
    op.create_table(
        "subscription_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "charging",
                "scheduled",
                "applied",
                "withdrawn",
                "failed",
                name="changestate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("wanted", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("period_number", sa.Integer(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_subscription_changes_subscription_id_subscriptions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_changes")),
    )
    op.create_index(
        "ix_subscription_changes_subscription_id", "subscription_changes", ["subscription_id", "id"], unique=False
    )
    op.create_table(
        "subscription_charges",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("period_number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("plan", "seats", "add_on", name="chargekind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("discount_minor", sa.BigInteger(), nullable=False),
        sa.Column("forfeited_minor", sa.BigInteger(), nullable=False),
        sa.Column("credited_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_subscription_charges_days_in_order")),
        sa.CheckConstraint(
            "net_minor >= 0 AND credited_minor BETWEEN 0 AND net_minor", name=op.f("ck_subscription_charges_credited")
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoices.id"],
            name=op.f("fk_subscription_charges_invoice_id_invoices"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_subscription_charges_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_charges")),
    )
    op.create_index(op.f("ix_subscription_charges_invoice_id"), "subscription_charges", ["invoice_id"], unique=False)
    op.create_index(
        "ix_subscription_charges_period", "subscription_charges", ["subscription_id", "period_number"], unique=False
    )
    op.create_table(
        "subscription_periods",
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_subscription_periods_days_in_order")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_subscription_periods_in_order")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_subscription_periods_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_subscription_periods_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", "number", name=op.f("pk_subscription_periods")),
    )
    op.create_table(
        "subscription_terms",
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("add_ons", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_subscription_terms_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_subscription_terms_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", "first_day", name=op.f("pk_subscription_terms")),
    )
    op.create_table(
        "subscription_invoices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("period_number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "period",
                "change",
                "final",
                "other",
                name="invoicekind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("collect_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gives_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["charge_attempts.id"],
            name=op.f("fk_subscription_invoices_attempt_id_charge_attempts"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoices.id"],
            name=op.f("fk_subscription_invoices_invoice_id_invoices"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_subscription_invoices_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_invoices")),
        sa.UniqueConstraint(
            "subscription_id",
            "period_number",
            "kind",
            "change_id",
            name=op.f("uq_subscription_invoices_subscription_id_period_number_kind_change_id"),
        ),
    )
    op.create_index(
        "ix_subscription_invoices_collect_at",
        "subscription_invoices",
        ["collect_at"],
        unique=False,
        sqlite_where=sa.text("collect_at IS NOT NULL"),
        postgresql_where=sa.text("collect_at IS NOT NULL"),
    )
    op.create_index("uq_subscription_invoices_invoice_id", "subscription_invoices", ["invoice_id"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_subscription_invoices_invoice_id", table_name="subscription_invoices")
    op.drop_index(
        "ix_subscription_invoices_collect_at",
        table_name="subscription_invoices",
        sqlite_where=sa.text("collect_at IS NOT NULL"),
        postgresql_where=sa.text("collect_at IS NOT NULL"),
    )
    op.drop_table("subscription_invoices")
    op.drop_table("subscription_terms")
    op.drop_table("subscription_periods")
    op.drop_index("ix_subscription_charges_period", table_name="subscription_charges")
    op.drop_index(op.f("ix_subscription_charges_invoice_id"), table_name="subscription_charges")
    op.drop_table("subscription_charges")
    op.drop_index("ix_subscription_changes_subscription_id", table_name="subscription_changes")
    op.drop_table("subscription_changes")
    op.drop_index("ix_subscriptions_state", table_name="subscriptions")
    op.drop_index("ix_subscriptions_plan_version_id", table_name="subscriptions")
    op.drop_index(
        "ix_subscriptions_next_at",
        table_name="subscriptions",
        sqlite_where=sa.text("next_at IS NOT NULL AND held_at IS NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL AND held_at IS NULL"),
    )
    op.drop_index("ix_subscriptions_customer_id", table_name="subscriptions")
    op.drop_table("subscriptions")
