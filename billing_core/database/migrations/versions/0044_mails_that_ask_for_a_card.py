"""Mails that ask for a card."""

from alembic import op

from billing_core.database.migrations import checks

revision = "0044"
down_revision = "0043"

_MAILS = (
    *("invoice", "reminder_before", "reminder_due", "reminder_late", "credit_note", "statement", "usage_alert"),
    *("trial_ending", "charge_failed", "card_expiring", "subscription_ended", "plan_move", "plan_move_withdrawn"),
)
_NEW = "card_request"


def upgrade() -> None:
    checks.allow("mail_texts", "mailkind", "kind", (*_MAILS, _NEW))


def downgrade() -> None:
    op.execute(f"DELETE FROM mail_texts WHERE kind = '{_NEW}'")
    checks.allow("mail_texts", "mailkind", "kind", _MAILS)
