"""In which mode each payment was collected; a refund that failed is a case to settle."""

from alembic import op

from billing_core.database.migrations import checks

revision = "0006"
down_revision = "0005"

# What is known of payments that came before: whether they stand in the sandbox's books, or by whose link they came.
OF_SANDBOX = """
UPDATE payments SET mode = 'sandbox'
WHERE gateway_key IN (SELECT intent_id FROM sandbox_charges)
   OR gateway_key IN (SELECT stripe_invoice_id FROM payment_links WHERE mode = 'sandbox')
"""
BY_LINK = """
UPDATE payments SET mode = (
    SELECT mode FROM payment_links
    WHERE mode <> 'sandbox' AND (
        invoice_id IN (SELECT invoice_id FROM payment_allocations WHERE payment_id = payments.id)
        OR invoice_id IN (SELECT invoice_id FROM payment_cases WHERE payment_id = payments.id)
    )
    ORDER BY CASE WHEN state = 'paid' THEN 0 ELSE 1 END, id DESC LIMIT 1
) WHERE gateway_key IS NOT NULL AND mode IS NULL
"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE payments ADD COLUMN mode VARCHAR(32) CONSTRAINT mode CHECK (mode IN ('sandbox', 'test', 'live'))"
    )
    op.execute(OF_SANDBOX)
    op.execute(BY_LINK)
    kinds = ("amount_differs", "currency_differs", "nothing_due", "refund_unmatched", "refund_failed", "dispute_lost")
    checks.allow("payment_cases", "casekind", "kind", kinds)


def downgrade() -> None:
    raise NotImplementedError("what was noted of payments cannot be forgotten: restore a backup instead")
