"""Mails to several: who gets one, and what the mail server said of each."""

import sqlalchemy as sa
from alembic import op

revision = "0069"
down_revision = "0068"


def upgrade() -> None:
    for name in ("receivers", "answers"):
        op.add_column("outbox_messages", sa.Column(name, sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    for name in ("answers", "receivers"):
        op.drop_column("outbox_messages", name)
