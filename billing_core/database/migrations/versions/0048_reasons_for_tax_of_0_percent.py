"""Why customers, businesses and invoices have tax of 0 %."""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"

_TABLES = ("businesses", "customers", "invoices")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("zero_tax_reason", sa.String(length=200), server_default="", nullable=False))
    # Those that there are do not state tax of 0 %, and stay as they are.
    op.add_column("credit_notes", sa.Column("zero_tax_reason", sa.String(length=200), nullable=True))


def downgrade() -> None:
    for table in (*_TABLES, "credit_notes"):
        op.drop_column(table, "zero_tax_reason")
