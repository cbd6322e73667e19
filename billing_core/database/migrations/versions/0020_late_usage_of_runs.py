"""What a bill run makes of late usage."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_TABLE = "bill_run_customers"


def upgrade() -> None:
    # As SQL: SQLite takes a reference only together with the column.
    op.execute(
        f"ALTER TABLE {_TABLE} ADD COLUMN late_invoice_id INTEGER"
        f" CONSTRAINT fk_{_TABLE}_late_invoice_id_invoices REFERENCES invoices (id) ON DELETE RESTRICT"
    )
    op.add_column(_TABLE, sa.Column("late_minor", sa.BigInteger))
    op.add_column(_TABLE, sa.Column("credited_minor", sa.BigInteger))


def downgrade() -> None:
    for name in ("credited_minor", "late_minor", "late_invoice_id"):
        op.drop_column(_TABLE, name)
