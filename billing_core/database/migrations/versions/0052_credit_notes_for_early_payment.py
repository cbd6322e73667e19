"""Credit notes say whether they credit what was taken off for paying early.

Those that there are were written in the transaction of the payment that took it off: both have the same instant.
"""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    op.add_column("credit_notes", sa.Column("early_payment", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.get_bind().execute(
        sa.text(
            "UPDATE credit_notes SET early_payment = :yes WHERE refund_minor = 0 AND EXISTS ("
            "SELECT 1 FROM payment_allocations a WHERE a.invoice_id = credit_notes.invoice_id "
            "AND a.kind = 'payment' AND a.created_at = credit_notes.created_at)"
        ),
        {"yes": True},
    )


def downgrade() -> None:
    op.drop_column("credit_notes", "early_payment")
