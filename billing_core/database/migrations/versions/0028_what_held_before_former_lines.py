"""Which event held when the days of a line began that was billed before lines said so."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations.quantities import start_of_day

revision = "0028"
down_revision = "0027"

_ZONE: Final = "CASE WHEN c.time_zone <> '' THEN c.time_zone ELSE b.time_zone END"
# Lines of meters whose quantities hold on. Which events of days that were billed anew were known before is not kept.
_UNNAMED: Final = (
    "FROM usage_lines l JOIN usage_periods p ON p.id = l.period_id JOIN customers c ON c.id = p.customer_id"
    " JOIN businesses b ON b.id = c.business_id"
    " WHERE l.meter_id IN (SELECT id FROM meters WHERE aggregation IN ('latest', 'time_weighted_sum'))"
    " AND l.settlement_id IS NULL AND l.held_event_id IS NULL AND p.replaced_at IS NULL"
)
_STARTS: Final = f"SELECT DISTINCT {_ZONE} AS zone, p.first_day, l.first_day AS begun {_UNNAMED}"
_ITEM: Final = (
    "EXISTS (SELECT 1 FROM usage_late_items i WHERE i.customer_id = e.customer_id AND i.event_id = e.event_id"
    " AND i.period_id = p.id AND i.kind = "
)
# The last of those that were known when the line was billed. What came, or went, afterwards has its late item, unless
# it happened before the period, and changed nothing. The index is taken for its condition in its words.
_HELD: Final = (
    "SELECT e.event_id FROM usage_periods p JOIN usage_events e ON e.customer_id = p.customer_id"
    " JOIN usage_event_keys k ON k.customer_id = e.customer_id AND k.event_id = e.event_id"
    " WHERE p.id = usage_lines.period_id AND e.{raw} AND e.meter_id = usage_lines.meter_id"
    f" AND e.bucket_id = usage_lines.bucket_id AND e.occurred_at < :begins AND NOT {_ITEM}'arrived')"
    " AND (e.occurred_at >= :period_begins OR e.received_at <= p.billed_at)"
    f" AND (k.withdrawn_at IS NULL OR {_ITEM}'withdrawn')"
    " OR (e.occurred_at < :period_begins AND k.withdrawn_at > p.billed_at))"
    " ORDER BY e.occurred_at DESC, e.event_id DESC LIMIT 1"
)
_NAME: Final = (
    f"UPDATE usage_lines SET held_event_id = ({_HELD}) WHERE id IN"
    f" (SELECT l.id {_UNNAMED} AND {_ZONE} = :zone AND p.first_day = :first_day AND l.first_day = :begun)"
)


def upgrade() -> None:
    connection = op.get_bind()
    starts = sa.text(_STARTS).columns(zone=sa.String, first_day=sa.Date, begun=sa.Date)
    name = sa.text(_NAME.format(raw="raw = 1" if connection.dialect.name == "sqlite" else "raw")).bindparams(
        *(sa.bindparam(instant, type_=sa.DateTime(timezone=True)) for instant in ("begins", "period_begins")),
        *(sa.bindparam(day, type_=sa.Date) for day in ("first_day", "begun")),
    )
    for zone, first_day, begun in connection.execute(starts).all():
        instants = {"begins": start_of_day(zone, begun), "period_begins": start_of_day(zone, first_day)}
        connection.execute(name, {"zone": zone, "first_day": first_day, "begun": begun, **instants})


def downgrade() -> None:
    """The column goes with the migration that brought it."""
