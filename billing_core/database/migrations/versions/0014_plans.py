"""Plans with their versions, which customer is on which from when, and files of both and of usage."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0014"
down_revision = "0013"

_KINDS = ("customers", "services", "products", "rates", "orders", "order-items")


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("code", name=op.f("uq_plans_code")),
    )
    op.create_table(
        "plan_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "interval",
            sa.Enum("month", "year", name="planinterval", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("included_calls", sa.BigInteger(), nullable=False),
        sa.Column("price_per_call", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("included_calls >= 0", name=op.f("ck_plan_versions_included_not_negative")),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_plan_versions_price_not_negative")),
        sa.CheckConstraint("price_per_call >= 0", name=op.f("ck_plan_versions_price_per_call_not_negative")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plans.id"], name=op.f("fk_plan_versions_plan_id_plans"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_versions")),
        sa.UniqueConstraint("plan_id", "number", name=op.f("uq_plan_versions_plan_id_number")),
    )
    op.create_table(
        "plan_prices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("bucket_id", sa.Integer(), nullable=True),
        sa.Column(
            "scheme",
            sa.Enum(
                *("per_unit", "graduated", "volume", "package"),
                name="scheme",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("per", sa.BigInteger(), nullable=False),
        sa.Column("included", sa.BigInteger(), nullable=False),
        sa.Column("minimum_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("per > 0", name=op.f("ck_plan_prices_per_positive")),
        sa.CheckConstraint("included >= 0", name=op.f("ck_plan_prices_included_not_negative")),
        sa.CheckConstraint("minimum_minor >= 0", name=op.f("ck_plan_prices_minimum_not_negative")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_plan_prices_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name=op.f("fk_plan_prices_meter_id_meters"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["bucket_id"],
            ["meter_buckets.id"],
            name=op.f("fk_plan_prices_bucket_id_meter_buckets"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_prices")),
        sa.UniqueConstraint(
            "plan_version_id", "meter_id", "bucket_id", name=op.f("uq_plan_prices_plan_version_id_meter_id_bucket_id")
        ),
    )
    op.create_index(
        "uq_plan_prices_without_bucket",
        "plan_prices",
        ["plan_version_id", "meter_id"],
        unique=True,
        sqlite_where=sa.text("bucket_id IS NULL"),
        postgresql_where=sa.text("bucket_id IS NULL"),
    )
    op.create_table(
        "plan_price_tiers",
        sa.Column("price_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=True),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("flat_fee_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("up_to > 0", name=op.f("ck_plan_price_tiers_up_to_positive")),
        sa.CheckConstraint("unit_price >= 0", name=op.f("ck_plan_price_tiers_unit_price_not_negative")),
        sa.CheckConstraint("flat_fee_minor >= 0", name=op.f("ck_plan_price_tiers_flat_fee_not_negative")),
        sa.ForeignKeyConstraint(
            ["price_id"], ["plan_prices.id"], name=op.f("fk_plan_price_tiers_price_id_plan_prices"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("price_id", "position", name=op.f("pk_plan_price_tiers")),
    )
    op.create_table(
        "customer_plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_customer_plans_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_customer_plans_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_plans")),
        sa.UniqueConstraint("customer_id", "valid_from", name=op.f("uq_customer_plans_customer_id_valid_from")),
    )
    op.create_index(op.f("ix_customer_plans_plan_version_id"), "customer_plans", ["plan_version_id"], unique=False)
    for table in ("plan_versions", "plan_prices", "plan_price_tiers"):
        for event in ("UPDATE", "DELETE"):
            op.execute(_refuse(table, event, op.get_bind().dialect.name))
    checks.allow("import_files", "kind", "kind", (*_KINDS, "plans", "customer-plans", "usage"))


def _refuse(table: str, event: str, dialect: str) -> str:
    """What customers have agreed to stays as it was agreed; on PostgreSQL by the function of the other tables."""
    start = f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table}"
    if dialect == "sqlite":
        return f"{start} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return f"{start} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"


def downgrade() -> None:
    checks.allow("import_files", "kind", "kind", _KINDS)
    op.drop_index(op.f("ix_customer_plans_plan_version_id"), table_name="customer_plans")
    op.drop_table("customer_plans")
    op.drop_table("plan_price_tiers")
    op.drop_index("uq_plan_prices_without_bucket", table_name="plan_prices")
    op.drop_table("plan_prices")
    op.drop_table("plan_versions")
    op.drop_table("plans")
