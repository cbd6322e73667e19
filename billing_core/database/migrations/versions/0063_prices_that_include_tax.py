"""Prices of an invoice may include tax."""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"


def upgrade() -> None:
    op.add_column("invoices", sa.Column("prices_include_tax", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("invoices", "prices_include_tax")
