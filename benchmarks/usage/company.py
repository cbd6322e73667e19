"""Organizations with a hundred million calls in March 2026, or with a thousand, as totals that SQL writes at once.

No event is written: what is measured on them reads whole days.
"""

from datetime import date
from pathlib import Path

from sqlalchemy import text

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import Period

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
ORGANIZATIONS, USERS, DAYS = 10_000, 10, 25
# As many as a page of the list has, so that both pages draw the same.
FEW_ORGANIZATIONS, FEW_USERS, FEW_DAYS = 50, 4, 5
# Of each user on each day.
MANY_CALLS, FEW_CALLS = 40, 1
MANY = ORGANIZATIONS * USERS * DAYS * MANY_CALLS
FEW = FEW_ORGANIZATIONS * FEW_USERS * FEW_DAYS * FEW_CALLS
_STATEMENTS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :organizations)
INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state, postal_code,
                       country, currency, tax_id, created_at, version)
    SELECT i, 'cus_' || i, printf('00000000-0000-4000-8000-%012d', i), 1, 'C' || i, 'Customer ' || i, '', '', '', '',
           '', '', 'US', 'USD', '', '2025-01-01 00:00:00.000000', 1 FROM n;
INSERT INTO plans (id, code, name, created_at) VALUES (1, 'basic', 'Basic', '2025-01-01 00:00:00.000000');
INSERT INTO plan_versions (id, plan_id, number, currency, price_minor, interval, included_calls, price_per_call,
                           created_at)
    VALUES (1, 1, 1, 'USD', 4900, 'month', 5000, 1000000000, '2025-01-01 00:00:00.000000');
INSERT INTO customer_plans (customer_id, plan_version_id, valid_from, created_at)
    SELECT id, 1, '2025-01-01', '2025-01-01 00:00:00.000000' FROM customers;
WITH RECURSIVE u(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM u WHERE i < :users),
               d(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < :days - 1),
               z(kind) AS (VALUES ('billing'), ('utc'))
INSERT INTO usage_days (customer_id, zone_kind, day, meter_id, bucket_id, user, archive_id, calls, whole, millionths,
                        response_time, timed_calls)
    SELECT c.id, z.kind, date('2026-03-01', '+' || d.i || ' days'), 1, 0, printf('user %06d', u.i), 0, :calls, :calls,
           0, :calls * 420000, :calls
    FROM customers c, z, d, u ORDER BY c.id, z.kind, d.i, u.i;
INSERT INTO usage_users (customer_id, user, first_seen_at)
    SELECT customer_id, user, min(day) || ' 08:00:00.000000' FROM usage_days GROUP BY customer_id, user;
ANALYZE;
"""


def build(file: Path, *, organizations: int, users: int = USERS, days: int = DAYS, calls: int = MANY_CALLS) -> Sessions:
    """``calls`` a user and day. The plan ``basic`` includes 5,000 calls."""
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    facts = {"organizations": organizations, "users": users, "days": days, "calls": calls}
    with sessions.begin() as session:
        for statement in filter(None, map(str.strip, _STATEMENTS.split(";"))):
            session.execute(text(statement), facts if ":" in statement else {})
    return sessions


def many_and_few(scratch: Path) -> tuple[Sessions, Sessions]:
    """A hundred million calls, and a thousand."""
    many = build(scratch / "many.sqlite3", organizations=ORGANIZATIONS)
    few = build(
        scratch / "few.sqlite3", organizations=FEW_ORGANIZATIONS, users=FEW_USERS, days=FEW_DAYS, calls=FEW_CALLS
    )
    for sessions, calls in ((many, MANY), (few, FEW)):
        with sessions() as session:
            counted = session.scalar(text("SELECT sum(calls) FROM usage_days WHERE zone_kind = 'utc'"))
            assert counted == calls, (counted, calls)
    return many, few
