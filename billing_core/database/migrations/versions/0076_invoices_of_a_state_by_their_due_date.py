"""Invoices of a state by their due date: those overdue are found in its order, without sorting all that are open."""

from alembic import op

revision = "0076"
down_revision = "0075"


def upgrade() -> None:
    op.create_index("ix_invoices_state_due_on", "invoices", ["state", "due_on", "id", "late_after"])
    op.drop_index("ix_invoices_state_late", "invoices")


def downgrade() -> None:
    op.create_index("ix_invoices_state_late", "invoices", ["state", "late_after", "id"])
    op.drop_index("ix_invoices_state_due_on", "invoices")
