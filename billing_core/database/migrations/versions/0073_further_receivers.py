"""Customers and invoices have further receivers of their mails, copies and blind copies."""

import sqlalchemy as sa
from alembic import op

revision = "0073"
down_revision = "0072"

_TABLES = ("customers", "invoices")
_LISTS = ("further_emails", "cc_emails", "bcc_emails")


def upgrade() -> None:
    for table in _TABLES:
        for name in _LISTS:
            op.add_column(table, sa.Column(name, sa.String(length=2560), server_default="", nullable=False))


def downgrade() -> None:
    for table in _TABLES:
        for name in _LISTS:
            op.drop_column(table, name)
