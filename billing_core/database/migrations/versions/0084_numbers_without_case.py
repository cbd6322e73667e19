"""What tells the numbers of documents apart, without regard to the case of letters and how Unicode writes them.

Of documents whose numbers are the same so far, the first keeps the number to itself; the key of each later one ends in
its id. ``verify`` names them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0084"
down_revision = "0083"

_TABLES = ("invoices", "credit_notes")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("number_key", sa.Text(), nullable=True))
        op.execute(f"UPDATE {table} SET number_key = folded(number) WHERE number IS NOT NULL")
        op.execute(
            f"UPDATE {table} SET number_key = number_key || ' #' || id WHERE id IN (SELECT id FROM (SELECT id, "
            "row_number() OVER (PARTITION BY business_id, number_key ORDER BY id) AS at "
            f"FROM {table} WHERE number_key IS NOT NULL) AS numbered WHERE at > 1)"
        )
        op.create_index(f"ix_{table}_number_key", table, ["business_id", "number_key"], unique=True)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_index(f"ix_{table}_number_key", table)
        op.drop_column(table, "number_key")
