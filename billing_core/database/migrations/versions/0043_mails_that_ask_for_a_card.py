"""Mails that ask for a card."""

from alembic import op

from billing_core.database.migrations import checks

revision = "0043"
down_revision = "0042"

_MAILS = ("invoice", "reminder_before", "reminder_due", "reminder_late", "credit_note", "statement", "usage_alert")
_OF_SUBSCRIPTIONS = ("trial_ending", "charge_failed", "card_expiring", "subscription_ended")
_NEW = "card_request"


def upgrade() -> None:
    checks.allow("mail_texts", "mailkind", "kind", (*_MAILS, *_OF_SUBSCRIPTIONS, _NEW))


def downgrade() -> None:
    op.execute(f"DELETE FROM mail_texts WHERE kind = '{_NEW}'")
    checks.allow("mail_texts", "mailkind", "kind", (*_MAILS, *_OF_SUBSCRIPTIONS))
