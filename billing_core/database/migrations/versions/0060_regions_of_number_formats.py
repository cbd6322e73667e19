"""The country whose way of writing numbers and dates a customer's documents have."""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    # Empty: that of the customer's own country. Documents, sent or drafted, keep how they are written.
    op.add_column("customers", sa.Column("format_region", sa.String(length=2), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("customers", "format_region")
