"""Whether a business uses a customer's credit before it reminds of what is due."""

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0065"


def upgrade() -> None:
    op.add_column("businesses", sa.Column("uses_credit", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("businesses", "uses_credit")
