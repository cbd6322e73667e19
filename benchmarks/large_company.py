"""A company with a million orders, written by SQL, for measurements that ask how size tells."""

from datetime import date
from pathlib import Path

from sqlalchemy import text

from billing_core.database import Sessions, connect, sqlite
from billing_core.database.migrate import upgrade
from billing_core.dates import Period, add_months, last_of_month, utc_now
from billing_core.identity import SYSTEM
from billing_core.reports import coverage, service

CUSTOMERS = 50
MONTHS = 18
FIRST_MONTH = date(2025, 5, 1)

_STATEMENTS = """
INSERT INTO services (id, code, name, cost_type) VALUES
    (1, 'HANDLING', 'Handling', 'per_order'), (2, 'PICK', 'Picking', 'per_item'),
    (3, 'SHIP', 'Shipping', 'per_weight_unit');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :customers)
INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state, postal_code,
                       country, currency, tax_id, created_at, version)
    SELECT i, 'cus_' || i, 'uuid-' || i, 1, 'C' || i, 'Customer ' || i, '', '', '', '', '', '', 'US', 'USD', '',
           '2025-01-01 00:00:00.000000', 1 FROM n;
INSERT INTO rates (customer_id, service_id, unit_price, currency, valid_from, created_at)
    SELECT c.id, s.id, 1250000 * s.id, 'USD', '2025-01-01', '2025-01-01 00:00:00.000000' FROM customers c, services s;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :orders)
INSERT INTO orders (id, number, customer_id, order_date, status, reference_number, ship_to_name, ship_to_address,
                    ship_to_city, ship_to_state, ship_to_postal_code, ship_to_country, carrier, weight, packages, notes)
    SELECT i, 'ORD-' || i, 1 + i % :customers, date(:first, '+' || (i * 540 / :orders) || ' days'), 'shipped',
           'REF-' || i, 'Receiver ' || i, 'Street ' || i, 'Springfield', 'IL', '62701', 'US', 'UPS',
           1000 + i % 9000, 1 + i % 3, '' FROM n;
INSERT INTO order_lines (order_id, sku, sku_key, position, quantity)
    SELECT id, 'SKU-' || (id % 500), 'SKU-' || (id % 500), 1, 1000 * (1 + id % 20) FROM orders;
"""


def build(file: Path, *, orders: int = 1_000_000) -> Sessions:
    """A SQLite database with that many orders of ``CUSTOMERS`` over ``MONTHS``, all months but the last reported."""
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    facts = {"customers": CUSTOMERS, "orders": orders, "first": FIRST_MONTH.isoformat()}
    with sessions.begin() as session:
        for statement in filter(None, map(str.strip, _STATEMENTS.split(";"))):
            session.execute(text(statement), facts if ":" in statement else {})
    for customer in range(1, CUSTOMERS + 1):
        with sessions.begin() as session:
            for month in (add_months(FIRST_MONTH, count) for count in range(MONTHS - 1)):
                period = Period(month, last_of_month(month))
                service.generate(session, SYSTEM, customer_id=customer, period=period, now=utc_now())
    with sessions.begin() as session:
        coverage.refresh(session)
    sqlite.refresh_statistics(sessions.engine)
    return sessions
