"""An invoice that somebody has marked as paid at the gateway is a case to settle."""

from alembic import op

from billing_core.database.migrations import checks

revision = "0068"
down_revision = "0067"

KINDS = ("amount_differs", "currency_differs", "nothing_due", "refund_unmatched", "refund_failed", "dispute_lost")


def upgrade() -> None:
    checks.allow("payment_cases", "casekind", "kind", (*KINDS, "marked_paid"))


def downgrade() -> None:
    op.execute("DELETE FROM payment_cases WHERE kind = 'marked_paid'")
    checks.allow("payment_cases", "casekind", "kind", KINDS)
