"""A due date that moves into the future starts the schedule of reminders again: a step is sent once for each due date.

And since when a payment by a link is on its way: while it is, nobody is reminded.
"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"

_FORMER = ("invoice_id", "days_after_due")
_NOW = (*_FORMER, "due_on")


def upgrade() -> None:
    op.add_column("payment_links", sa.Column("last_pending_at", sa.DateTime(timezone=True), nullable=True))
    _make_unique(_FORMER, _NOW)


def downgrade() -> None:
    # Of a step that was sent for several due dates the last one stays.
    op.execute(
        "DELETE FROM reminders WHERE EXISTS (SELECT 1 FROM reminders later "
        "WHERE later.invoice_id = reminders.invoice_id AND later.days_after_due = reminders.days_after_due "
        "AND later.id > reminders.id)"
    )
    _make_unique(_NOW, _FORMER)
    op.drop_column("payment_links", "last_pending_at")


def _make_unique(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    with op.batch_alter_table("reminders") as batch:
        batch.drop_constraint(op.f(f"uq_reminders_{'_'.join(before)}"), type_="unique")
        batch.create_unique_constraint(op.f(f"uq_reminders_{'_'.join(after)}"), list(after))
