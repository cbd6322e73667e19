"""Rating stored orders into stored charges, against SQL written by hand for exactly that rate card."""

import time
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import insert, literal, select, text

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import Period
from billing_core.rating import conditions, statements, tiers
from billing_core.rating.models import CostType, Rate, Service, TierMode
from billing_core.reports.models import BillingReport, ReportCharge

PERIOD = Period(date(2026, 1, 1), date(2026, 12, 31))
NOW = datetime(2027, 1, 1, tzinfo=UTC)
RUNS = 5

_ORDERS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :orders)
INSERT INTO orders (id, number, customer_id, order_date, status, reference_number, ship_to_name, ship_to_address,
                    ship_to_city, ship_to_state, ship_to_postal_code, ship_to_country, carrier, weight, packages, notes)
    SELECT i, 'ORD-' || i, 1, date('2026-01-01', '+' || (i * 360 / :orders) || ' days'), 'shipped',
           'REF-' || i, 'Receiver ' || i, 'Street ' || i, 'Springfield', 'IL', '62701',
           CASE i % 3 WHEN 0 THEN 'DE' ELSE 'US' END, CASE i % 4 WHEN 0 THEN 'DHL' ELSE 'UPS' END,
           1000 + i % 9000 * 10, 1 + i % 3, '' FROM n
"""
_LINES = """
INSERT INTO order_lines (order_id, sku, sku_key, position, quantity)
    SELECT o.id, 'SKU-' || ((o.id + l.n) % 500), 'SKU-' || ((o.id + l.n) % 500), 1, 1000 * (1 + (o.id + l.n) % 20)
    FROM orders o, (SELECT 0 AS n UNION ALL SELECT 7 UNION ALL SELECT 19) l
"""
_PRODUCTS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 499)
INSERT INTO products (customer_id, sku, sku_key, name, case_size)
    SELECT 1, 'SKU-' || i, 'SKU-' || i, 'Product ' || i, CASE i % 4 WHEN 0 THEN NULL ELSE i % 4 * 3000 END FROM n
"""
_CUSTOMER = """
INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state, postal_code,
                       country, currency, tax_id, created_at, version)
    VALUES (1, 'cus_1', 'uuid-1', 1, 'C1', 'Customer', '', '', '', '', '', '', 'US', 'USD', '',
            '2026-01-01 00:00:00.000000', 1)
"""

_TIERS = [{"up_to": "10", "unit_price": "0.30"}, {"up_to": "25", "unit_price": "0.22"}, {"unit_price": "0.15"}]
_HEAVY_ABROAD = {
    "all": [{"field": "weight", "op": "gt", "value": 20}, {"field": "ship_to_country", "op": "ne", "value": "US"}]
}
_BY_DHL = {"any": [{"field": "carrier", "op": "eq", "value": "dhl"}, {"field": "quantity", "op": "ge", "value": 50}]}
CARD = [
    (CostType.PER_ORDER, "3.25", {}),
    (CostType.PER_ITEM, "0.30", {"tiers": _TIERS}),
    (CostType.PER_SKU, "0.125", {"minimum_minor": 30}),
    (CostType.PER_CASE, "1.10", {}),
    (CostType.PER_LOOSE_UNIT, "0.05", {"maximum_minor": 500}),
    (CostType.PER_PACKAGE, "0.80", {"conditions": _BY_DHL}),
    (CostType.PER_WEIGHT_UNIT, "0.0475", {"conditions": _HEAVY_ABROAD}),
    (CostType.PERCENT_OF_SERVICES, "2.5", {}),
]

# What an engineer would write who knows this card and SQLite: facts once, services as arms over them.
BY_HAND = """
INSERT INTO report_charges (report_id, order_id, service_id, rate_id, quantity, unit_price, tier, bound, matched,
                            amount_minor)
WITH facts AS MATERIALIZED (
    SELECT o.id, sum(l.quantity) AS items, count(DISTINCT CASE WHEN l.quantity > 0 THEN l.sku_key END) * 1000 AS skus,
           sum(CASE WHEN p.case_size > 0 THEN l.quantity / p.case_size * 1000 END) AS cases,
           sum(CASE WHEN p.case_size > 0 THEN l.quantity % p.case_size WHEN p.case_size = 0 THEN l.quantity END)
               AS loose,
           CASE WHEN lower(trim(o.carrier)) = 'dhl' OR sum(l.quantity) >= 50000 THEN o.packages * 1000 ELSE 0 END
               AS packages,
           CASE WHEN o.weight > 20000 AND o.ship_to_country != 'US' THEN o.weight ELSE 0 END AS weight
    FROM orders o
    LEFT JOIN order_lines l ON l.order_id = o.id
    LEFT JOIN products p ON p.customer_id = :customer AND p.sku_key = l.sku_key
    WHERE o.customer_id = :customer AND o.order_date BETWEEN :first AND :last
      AND o.status NOT IN ('draft', 'cancelled')
    GROUP BY o.order_date, o.id
), priced AS MATERIALIZED (
    SELECT id, items, skus, cases, loose, packages, weight,
           CASE WHEN items <= 10000 THEN 300000 WHEN items <= 25000 THEN 220000 ELSE 150000 END AS item_price,
           CASE WHEN items <= 10000 THEN 1 WHEN items <= 25000 THEN 2 ELSE 3 END AS item_tier,
           (CASE WHEN items <= 10000 THEN items * 300000
                 WHEN items <= 25000 THEN 3000000000 + (items - 10000) * 220000
                 ELSE 6300000000 + (items - 25000) * 150000 END + 5000000) / 10000000 AS item_amount,
           max((skus * 125000 + 5000000) / 10000000, 30) AS sku_amount,
           (cases * 1100000 + 5000000) / 10000000 AS case_amount,
           min((loose * 50000 + 5000000) / 10000000, 500) AS loose_amount,
           (packages * 800000 + 5000000) / 10000000 AS package_amount,
           (weight * 47500 + 5000000) / 10000000 AS weight_amount
    FROM facts
)
SELECT :report, id, 1, 1, 1000, 3250000, NULL, NULL, NULL, 325 FROM priced
UNION ALL SELECT :report, id, 2, 2, items, item_price, item_tier, NULL, NULL, item_amount FROM priced WHERE items > 0
UNION ALL SELECT :report, id, 3, 3, skus, 125000, NULL,
                 CASE WHEN (skus * 125000 + 5000000) / 10000000 < 30 THEN 'minimum' END, NULL, sku_amount
          FROM priced WHERE skus > 0
UNION ALL SELECT :report, id, 4, 4, cases, 1100000, NULL, NULL, NULL, case_amount FROM priced WHERE cases > 0
UNION ALL SELECT :report, id, 5, 5, loose, 50000, NULL,
                 CASE WHEN (loose * 50000 + 5000000) / 10000000 > 500 THEN 'maximum' END, NULL, loose_amount
          FROM priced WHERE loose > 0
UNION ALL SELECT :report, id, 6, 6, packages, 800000, NULL, NULL, 'carrier is dhl or quantity is at least 50',
                 package_amount FROM priced WHERE packages > 0
UNION ALL SELECT :report, id, 7, 7, weight, 47500, NULL, NULL, 'weight is above 20 and country is not US',
                 weight_amount FROM priced WHERE weight > 0
UNION ALL SELECT :report, id, 8, 8, base * 10, 2500000, NULL, NULL, NULL, (base * 10 * 2500000 + 500000000) / 1000000000
          FROM (SELECT id, 325 + iif(items > 0, item_amount, 0) + iif(skus > 0, sku_amount, 0) + case_amount
                       + loose_amount + package_amount + weight_amount AS base FROM priced)
"""


def run(scratch: Path) -> list[dict]:
    small, large = build(scratch / "small.sqlite3", 10_000), build(scratch / "large.sqlite3", 100_000)
    _warm_up(small)
    ours, by_hand = _race(large)
    of_small, _ = _race(small)
    return [
        {
            "name": "100,000 orders × 8 services into charges, against SQL by hand",
            "ours": round(100_000 / ours),
            "limit": round(100_000 / by_hand),
            "unit": "orders/s",
            "ratio": round(by_hand / ours, 2),
            "aim": ">= 0.8",
        },
        {
            "name": "ten times the orders, times the duration",
            "ours": round(ours, 3),
            "limit": round(of_small, 3),
            "unit": "s",
            "ratio": round(ours / of_small, 1),
            "aim": "<= 11",
        },
    ]


def build(file: Path, orders: int) -> Sessions:
    """One customer with that many orders of three lines in a year, and the card."""
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        for statement in (_CUSTOMER, _ORDERS, _LINES, _PRODUCTS, "ANALYZE"):
            session.execute(text(statement), {"orders": orders} if ":orders" in statement else {})
        for number, (cost_type, price, more) in enumerate(CARD, start=1):
            session.add(Service(id=number, code=f"S{number}", name=f"Service {number}", cost_type=cost_type))
            session.flush()
            session.add(_rate(number, price, **more))
        for number in range(1, 2 * RUNS + 3):
            session.execute(insert(BillingReport).values(_header(number)))
    return sessions


def rate_ours(sessions: Sessions, report_id: int) -> None:
    """The charges of one report, as ``reports`` writes them."""
    columns = [column.name for column in ReportCharge.__table__.columns][1:]
    with sessions.begin() as session:
        rows = statements.charges(session, 1, PERIOD).subquery()
        chosen = select(literal(report_id), *(rows.c[name] for name in columns))
        session.execute(insert(ReportCharge).from_select(["report_id", *columns], chosen))


def rate_by_hand(sessions: Sessions, report_id: int) -> None:
    facts = {"report": report_id, "customer": 1, "first": PERIOD.start.isoformat(), "last": PERIOD.end.isoformat()}
    with sessions.begin() as session:
        session.execute(text(BY_HAND), facts)


def _race(sessions: Sessions) -> tuple[float, float]:
    """Seconds of each, taking turns; both must store the same.

    The fastest turn counts: whatever else the machine does can only slow a turn down.
    """
    ours, by_hand = [], []
    for turn in range(RUNS):
        by_hand.append(_timed(rate_by_hand, sessions, 2 * turn + 1))
        ours.append(_timed(rate_ours, sessions, 2 * turn + 2))
        with sessions.begin() as session:
            _refuse_difference(session, 2 * turn + 1, 2 * turn + 2)
            session.execute(text("DELETE FROM report_charges"))
        with sessions.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return min(ours), min(by_hand)


def _timed(rate, sessions: Sessions, report_id: int) -> float:
    began = time.perf_counter()
    rate(sessions, report_id)
    return time.perf_counter() - began


def _refuse_difference(session, one: int, other: int) -> None:
    columns = "order_id, service_id, rate_id, quantity, unit_price, tier, bound, matched, amount_minor"
    rows = f"SELECT {columns} FROM report_charges WHERE report_id = "
    different = session.scalar(text(f"SELECT count(*) FROM ({rows} {one} EXCEPT {rows} {other})"))
    counts = session.scalar(
        text(
            f"SELECT count(*) FILTER (WHERE report_id = {one}) - count(*) FILTER (WHERE report_id = {other})"
            " FROM report_charges"
        )
    )
    if different or counts:
        raise SystemExit("the statement by hand and ours do not store the same charges")


def _warm_up(sessions: Sessions) -> None:
    rate_ours(sessions, 2 * RUNS + 2)
    with sessions.begin() as session:
        session.execute(text("DELETE FROM report_charges"))


def _rate(number: int, price: str, **more) -> Rate:
    found = tiers.parse(more.pop("tiers", None), mode=TierMode.GRADUATED)
    return Rate(
        id=number,
        customer_id=1,
        service_id=number,
        unit_price=price,
        currency="USD",
        valid_from=date(2025, 1, 1),
        tier_mode=found.mode if found else None,
        tiers=found.rows if found else None,
        conditions=conditions.parse(more.pop("conditions", None)),
        created_at=NOW,
        **more,
    )


def _header(number: int) -> dict:
    return {
        "id": number,
        "customer_id": 1,
        "customer_name": "Customer",
        "period_start": PERIOD.start,
        "period_end": PERIOD.end,
        "version": number,
        "currency": "USD",
        "total_minor": 0,
        "order_count": 0,
        "charge_count": 0,
        "question_count": 0,
        "created_at": NOW,
        "created_by": "benchmark",
    }
