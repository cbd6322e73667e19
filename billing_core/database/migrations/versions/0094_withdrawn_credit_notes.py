"""Credit notes for early payment are withdrawn where the payment is undone or taken back.

Those whose payment was undone before stay: people have been told to invoice them anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0094"
down_revision = "0093"


def upgrade() -> None:
    op.add_column("credit_notes", sa.Column("withdrawn_on", sa.Date(), nullable=True))
    op.add_column("credit_notes", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    key = "CONSTRAINT fk_credit_notes_withdrawn_entry_id_ledger_entries REFERENCES ledger_entries (id)"
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(f"ALTER TABLE credit_notes ADD COLUMN withdrawn_entry_id {kind} {key}")
    op.add_column("chargebacks", sa.Column("discount_minor", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("chargebacks", "discount_minor")
    for column in ("withdrawn_entry_id", "withdrawn_at", "withdrawn_on"):
        op.execute(f"ALTER TABLE credit_notes DROP COLUMN {column}")
