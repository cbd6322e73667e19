"""Cancellations as they were shown, with the refunds that they asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("cancellation", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("subscriptions", "cancellation")
