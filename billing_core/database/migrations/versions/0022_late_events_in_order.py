"""Late events are found in the order in which they are listed, however many others there are."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_FORMER = ("customer_id", "occurred_at")
_NOW = (*_FORMER, "event_id")


def upgrade() -> None:
    _index(_NOW)


def downgrade() -> None:
    _index(_FORMER)


def _index(columns: Sequence[str]) -> None:
    op.drop_index("ix_usage_events_late", table_name="usage_events")
    op.create_index(
        "ix_usage_events_late",
        "usage_events",
        list(columns),
        unique=False,
        sqlite_where=sa.text("late = 1"),
        postgresql_where=sa.text("late"),
    )
