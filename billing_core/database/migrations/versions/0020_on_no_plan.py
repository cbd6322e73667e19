"""A customer can be on no plan from a day on."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    # SQLite copies the table: nothing refers to it, and it has no triggers.
    with op.batch_alter_table("customer_plans") as batch:
        batch.alter_column("plan_version_id", existing_type=sa.Integer(), nullable=True)


def downgrade() -> None:
    # Their days on no plan cannot be told any more.
    op.execute("DELETE FROM customer_plans WHERE plan_version_id IS NULL")
    with op.batch_alter_table("customer_plans") as batch:
        batch.alter_column("plan_version_id", existing_type=sa.Integer(), nullable=False)
