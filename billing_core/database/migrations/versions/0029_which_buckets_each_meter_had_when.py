"""Which buckets each meter had when; of former bills nobody knows by which they went."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

_BUCKETS = sa.table(
    "meter_buckets", sa.column("id"), sa.column("meter_id"), sa.column("filters"), sa.column("retired_at")
)


def upgrade() -> None:
    changes = op.create_table(
        "meter_bucket_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("buckets", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name=op.f("fk_meter_bucket_changes_meter_id_meters"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_bucket_changes")),
    )
    op.create_index("ix_meter_bucket_changes_meter_id", "meter_bucket_changes", ["meter_id", "id"], unique=False)
    op.add_column("usage_periods", sa.Column("bucket_change_id", sa.Integer(), nullable=True))
    kept: dict[int, list[dict[str, object]]] = {}
    for bucket in op.get_bind().execute(sa.select(_BUCKETS).order_by(_BUCKETS.c.id)):
        live = kept.setdefault(bucket.meter_id, [])
        if bucket.retired_at is None:
            live.append({"id": bucket.id, "filters": bucket.filters})
    if kept:
        op.bulk_insert(changes, [{"meter_id": meter_id, "buckets": live} for meter_id, live in kept.items()])


def downgrade() -> None:
    op.drop_column("usage_periods", "bucket_change_id")
    op.drop_index("ix_meter_bucket_changes_meter_id", table_name="meter_bucket_changes")
    op.drop_table("meter_bucket_changes")
