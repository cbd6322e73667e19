"""The few credit notes for early payment, from which discounts are found whose payment was undone."""

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0076"


def upgrade() -> None:
    op.create_index(
        "ix_credit_notes_early_payment",
        "credit_notes",
        ["invoice_id"],
        sqlite_where=sa.text("early_payment IS 1"),
        postgresql_where=sa.text("early_payment IS true"),
    )


def downgrade() -> None:
    op.drop_index("ix_credit_notes_early_payment", "credit_notes")
