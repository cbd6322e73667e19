"""Who carries out a request with an Idempotency-Key, so that another may do it once its process has died."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column(
        "idempotent_requests", sa.Column("claim", sa.String(length=32), server_default=sa.text("''"), nullable=False)
    )
    op.add_column("idempotent_requests", sa.Column("process_id", sa.String(length=40), nullable=True))


def downgrade() -> None:
    op.drop_column("idempotent_requests", "process_id")
    op.drop_column("idempotent_requests", "claim")
