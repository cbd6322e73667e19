"""The paper that a business's documents are made for."""

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"


def upgrade() -> None:
    # Empty: the usual one in the country of its time zone. Invoices that were sent say nothing of paper, and stay A4.
    op.add_column("businesses", sa.Column("paper", sa.String(length=8), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("businesses", "paper")
