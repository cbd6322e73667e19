"""Payment links by when they expire and by how often they were opened, a page at a time without sorting all."""

from alembic import op

revision = "0091"
down_revision = "0090"

_ORDERS = ("expires_at", "clicks")


def upgrade() -> None:
    for column in _ORDERS:
        op.create_index(f"ix_payment_links_{column}", "payment_links", [column, "id"])


def downgrade() -> None:
    for column in _ORDERS:
        op.drop_index(f"ix_payment_links_{column}", "payment_links")
