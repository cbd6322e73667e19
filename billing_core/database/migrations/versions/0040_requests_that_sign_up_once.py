"""Requests that sign up once."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("request_key", sa.String(length=64), nullable=True))
    op.create_index("uq_subscriptions_request_key", "subscriptions", ["request_key"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_subscriptions_request_key", table_name="subscriptions")
    op.drop_column("subscriptions", "request_key")
