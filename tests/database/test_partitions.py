"""Tables that PostgreSQL keeps in a part for each month."""

from datetime import date

from sqlalchemy import text

from billing_core import schema
from billing_core.database import copying
from billing_core.database.partitions import ensure_months, existing
from billing_core.metering.models import UsageEvent


def test_months_are_made_once_and_only_where_they_are_missing(sessions):
    on_postgresql = sessions.engine.dialect.name == "postgresql"
    for days in ([date(2025, 12, 31), date(2025, 12, 1)], [date(2025, 12, 15), date(2026, 1, 1)], []):
        with sessions.engine.begin() as connection:
            ensure_months(connection, "usage_events", days)
    with sessions.engine.connect() as connection:
        if on_postgresql:
            assert existing(connection, ["usage_events"]) == {"usage_events_2025_12", "usage_events_2026_01"}
            keys = text("SELECT count(*) FROM pg_index WHERE indrelid = 'usage_events_2026_01'::regclass")
            whole = text("SELECT count(*) FROM pg_index WHERE indrelid = 'usage_events'::regclass")
            assert connection.scalar(keys) == connection.scalar(whole) == 1 + len(UsageEvent.__table__.indexes)


def test_a_database_whose_months_are_empty_is_unused(sessions):
    with sessions.engine.begin() as connection:
        ensure_months(connection, "usage_events", [date(2026, 3, 1)])
        copying.refuse_unless_unused(connection, schema.metadata)
