"""What customers used: events, their identities, and totals by day and user."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    meters = op.create_table(
        "meters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "aggregation",
            sa.Enum(
                *("count", "sum", "max", "unique", "latest", "time_weighted_sum"),
                name="aggregation",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("unique_of", sa.String(length=100), nullable=False),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.CheckConstraint("unique_of = '' OR aggregation = 'unique'", name=op.f("ck_meters_unique_of_something")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meters")),
        sa.UniqueConstraint("code", name=op.f("uq_meters_code")),
    )
    calls = {"code": "api_calls", "name": "API calls", "aggregation": "count", "unique_of": "", "unit": "call"}
    op.bulk_insert(meters, [calls], multiinsert=False)
    op.create_table(
        "meter_buckets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("filters", sa.Text(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name=op.f("fk_meter_buckets_meter_id_meters"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_buckets")),
        sa.UniqueConstraint("meter_id", "code", name=op.f("uq_meter_buckets_meter_id_code")),
    )
    op.create_table(
        "usage_events",
        sa.Column("customer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("bucket_id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("endpoint", sa.String(length=500), nullable=False),
        sa.Column("response_time", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("raw", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("response_time >= 0", name=op.f("ck_usage_events_response_time_not_negative")),
        sa.PrimaryKeyConstraint("customer_id", "occurred_at", "event_id", name=op.f("pk_usage_events")),
        postgresql_partition_by="RANGE (occurred_at)",
    )
    op.create_index(
        "ix_usage_events_late",
        "usage_events",
        ["customer_id", "occurred_at"],
        unique=False,
        sqlite_where=sa.text("late = 1"),
        postgresql_where=sa.text("late"),
    )
    op.create_index(
        "ix_usage_events_raw",
        "usage_events",
        ["customer_id", "meter_id", "bucket_id", "occurred_at", "event_id"],
        unique=False,
        sqlite_where=sa.text("raw = 1"),
        postgresql_where=sa.text("raw"),
    )
    op.create_table(
        "usage_days",
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column(
            "zone_kind",
            sa.Enum("utc", "billing", name="zonekind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("bucket_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("archive_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.BigInteger(), nullable=False),
        sa.Column("millionths", sa.BigInteger(), nullable=False),
        sa.Column("response_time", sa.BigInteger(), nullable=False),
        sa.Column("timed_calls", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("calls > 0", name=op.f("ck_usage_days_with_calls")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_usage_days_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name=op.f("fk_usage_days_meter_id_meters"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint(
            "customer_id",
            "zone_kind",
            "day",
            "meter_id",
            "bucket_id",
            "user",
            "archive_id",
            name=op.f("pk_usage_days"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_digests",
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("word_1", sa.BigInteger(), nullable=False),
        sa.Column("word_2", sa.BigInteger(), nullable=False),
        sa.Column("word_3", sa.BigInteger(), nullable=False),
        sa.Column("word_4", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("events > 0", name=op.f("ck_usage_digests_with_events")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_usage_digests_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("customer_id", "day", name=op.f("pk_usage_digests")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_archives",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("totals", sa.String(length=64), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(file IS NULL) = (sha256 IS NULL) AND (file IS NULL) = (size IS NULL)",
            name=op.f("ck_usage_archives_file_whole"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_archives")),
        sa.UniqueConstraint("file", name=op.f("uq_usage_archives_file")),
    )
    op.create_table(
        "usage_archived_users",
        sa.Column("archive_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["archive_id"],
            ["usage_archives.id"],
            name=op.f("fk_usage_archived_users_archive_id_usage_archives"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_usage_archived_users_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("archive_id", "customer_id", "user", name=op.f("pk_usage_archived_users")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_event_keys",
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.String(length=500), nullable=True),
        sa.Column("archive_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawn_reason IS NULL)",
            name=op.f("ck_usage_event_keys_withdrawn_with_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["archive_id"],
            ["usage_archives.id"],
            name=op.f("fk_usage_event_keys_archive_id_usage_archives"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_usage_event_keys_customer_id_customers"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("customer_id", "event_id", name=op.f("pk_usage_event_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_usage_event_keys_withdrawn",
        "usage_event_keys",
        ["customer_id", "event_id"],
        unique=False,
        sqlite_where=sa.text("withdrawn_at IS NOT NULL"),
        postgresql_where=sa.text("withdrawn_at IS NOT NULL"),
    )
    op.create_table(
        "usage_periods",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=True),
        sa.Column("billed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("billed_by", sa.String(length=200), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_usage_periods_in_order")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_usage_periods_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_usage_periods_invoice_id_invoices"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_periods")),
    )
    op.create_index(
        "ix_usage_periods_standing",
        "usage_periods",
        ["customer_id", "first_day"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_index("ix_usage_periods_invoice_id", "usage_periods", ["invoice_id"], unique=False)
    op.create_table(
        "usage_users",
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_usage_users_customer_id_customers"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("customer_id", "user", name=op.f("pk_usage_users")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_usage_users_customer_id_first_seen_at", "usage_users", ["customer_id", "first_seen_at"], unique=False
    )
    op.add_column(
        "customers", sa.Column("time_zone", sa.String(length=64), server_default=sa.text("''"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("customers", "time_zone")
    op.drop_index("ix_usage_users_customer_id_first_seen_at", table_name="usage_users")
    op.drop_table("usage_users")
    op.drop_index("ix_usage_periods_invoice_id", table_name="usage_periods")
    op.drop_index("ix_usage_periods_standing", table_name="usage_periods")
    op.drop_table("usage_periods")
    op.drop_index("ix_usage_event_keys_withdrawn", table_name="usage_event_keys")
    op.drop_table("usage_event_keys")
    op.drop_table("usage_archived_users")
    op.drop_table("usage_archives")
    op.drop_table("usage_digests")
    op.drop_table("usage_days")
    op.drop_index("ix_usage_events_raw", table_name="usage_events")
    op.drop_index("ix_usage_events_late", table_name="usage_events")
    op.drop_table("usage_events")
    op.drop_table("meter_buckets")
    op.drop_table("meters")
