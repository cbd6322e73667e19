"""Which event held when the days of a billed line began."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("usage_lines", sa.Column("held_event_id", sa.String(length=255), nullable=True))


def downgrade() -> None:
    op.drop_column("usage_lines", "held_event_id")
