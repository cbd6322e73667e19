"""Mails and events of subscriptions."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0039"
down_revision = "0038"

_MAILS = ("invoice", "reminder_before", "reminder_due", "reminder_late", "credit_note", "statement", "usage_alert")
_NEW = ("trial_ending", "charge_failed", "card_expiring", "subscription_ended")


def upgrade() -> None:
    op.add_column("payment_methods", sa.Column("expiry_told", sa.Integer(), nullable=True))
    op.add_column("subscriptions", sa.Column("card_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_subscriptions_card_asked_at",
        "subscriptions",
        ["card_asked_at"],
        unique=False,
        sqlite_where=sa.text("card_asked_at IS NOT NULL"),
        postgresql_where=sa.text("card_asked_at IS NOT NULL"),
    )
    op.create_index("ix_subscriptions_payment_method_id", "subscriptions", ["payment_method_id"], unique=False)
    op.create_index(
        "ix_subscriptions_trial_ends_at",
        "subscriptions",
        ["trial_ends_at"],
        unique=False,
        sqlite_where=sa.text("trial_ends_at IS NOT NULL AND trial_reminded_at IS NULL"),
        postgresql_where=sa.text("trial_ends_at IS NOT NULL AND trial_reminded_at IS NULL"),
    )
    checks.allow("mail_texts", "mailkind", "kind", (*_MAILS, *_NEW))


def downgrade() -> None:
    kinds = ", ".join(f"'{kind}'" for kind in _NEW)
    op.execute(f"DELETE FROM mail_texts WHERE kind IN ({kinds})")
    checks.allow("mail_texts", "mailkind", "kind", _MAILS)
    op.drop_index(
        "ix_subscriptions_trial_ends_at",
        table_name="subscriptions",
        sqlite_where=sa.text("trial_ends_at IS NOT NULL AND trial_reminded_at IS NULL"),
        postgresql_where=sa.text("trial_ends_at IS NOT NULL AND trial_reminded_at IS NULL"),
    )
    op.drop_index("ix_subscriptions_payment_method_id", table_name="subscriptions")
    op.drop_index(
        "ix_subscriptions_card_asked_at",
        table_name="subscriptions",
        sqlite_where=sa.text("card_asked_at IS NOT NULL"),
        postgresql_where=sa.text("card_asked_at IS NOT NULL"),
    )
    op.drop_column("subscriptions", "card_asked_at")
    op.drop_column("payment_methods", "expiry_told")
