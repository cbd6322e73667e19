"""What a bill run makes of late usage."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

_TABLE = "bill_run_customers"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("late_invoice_id", sa.Integer))
    op.add_column(_TABLE, sa.Column("late_minor", sa.BigInteger))
    op.add_column(_TABLE, sa.Column("credited_minor", sa.BigInteger))


def downgrade() -> None:
    for name in ("credited_minor", "late_minor", "late_invoice_id"):
        op.drop_column(_TABLE, name)
