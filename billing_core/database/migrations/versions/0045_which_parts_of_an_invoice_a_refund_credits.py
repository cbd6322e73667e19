"""Which parts of an invoice a refund credits."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    op.add_column("refund_requests", sa.Column("parts", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("refund_requests", "parts")
