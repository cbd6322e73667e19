"""Late items are found in the order in which they are listed."""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_index(
        "ix_usage_late_items_in_order", "usage_late_items", ["customer_id", "occurred_at", "event_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_usage_late_items_in_order", table_name="usage_late_items")
