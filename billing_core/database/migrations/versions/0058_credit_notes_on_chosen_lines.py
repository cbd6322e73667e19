"""Lines of a credit note may be so much of a line of the invoice."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"

_TABLE, _INDEX = "credit_note_lines", "ix_credit_note_lines_invoice_line_id"
_COLUMNS = ("invoice_line_id", "quantity", "unit_price")


def upgrade() -> None:
    for column in _COLUMNS:
        op.add_column(_TABLE, sa.Column(column, sa.BigInteger(), nullable=True))
    chosen = sa.text("invoice_line_id IS NOT NULL")
    op.create_index(_INDEX, _TABLE, ["invoice_line_id"], sqlite_where=chosen, postgresql_where=chosen)


def downgrade() -> None:
    op.drop_index(_INDEX, _TABLE)
    for column in reversed(_COLUMNS):
        op.drop_column(_TABLE, column)
