"""What the files are written from: plain rows of integers and text, in batches, straight from the cursor.

Rows come in the order of the tables' keys, so that nothing is sorted and the first chunk comes at once. Quantities and
prices stay scaled integers; the writers place the decimal point.
"""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Row, Select, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.rating.models import Service
from billing_core.reports.models import ReportCharge, ReportOrder, ReportQuestion, ReportServiceTotal
from billing_core.reports.queries import Report

BATCH = 2_000
_NO_MORE: tuple[int, Iterator[Row[*tuple[Any, ...]]]] = (0, iter(()))


def stored(column: InstrumentedAttribute[Any]) -> Any:
    """The column's stored integer, without creating Decimals."""
    return type_coerce(column, BigInteger).label(column.key)


def batches(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    """The rows in batches. Only one batch is in memory, on PostgreSQL too."""
    result = session.connection().execute(statement, execution_options={"yield_per": BATCH})
    yield from result.partitions()


def each(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterator[Row[*tuple[Any, ...]]]:
    """The rows one by one, read in batches."""
    return chain.from_iterable(batches(session, statement))


def charges(report: Report) -> Select[int, int, int]:
    """(order id, service id, minor units), by order and service."""
    rows = ReportCharge.__table__.c
    return (
        select(rows.order_id, rows.service_id, rows.amount_minor)
        .where(rows.report_id == report.id)
        .order_by(rows.order_id, rows.service_id)
    )


def counted_charges(report: Report) -> Select[*tuple[Any, ...]]:
    """(order id, service id, scaled quantity, minor units), by order and service."""
    return (
        select(ReportCharge.order_id, ReportCharge.service_id, stored(ReportCharge.quantity), ReportCharge.amount_minor)
        .where(ReportCharge.report_id == report.id)
        .order_by(ReportCharge.order_id, ReportCharge.service_id)
    )


def explained_charges(report: Report) -> Select[*tuple[Any, ...]]:
    """Each charge with what explains it, by order and service."""
    return (
        select(*charge_columns())
        .where(ReportCharge.report_id == report.id)
        .order_by(ReportCharge.order_id, ReportCharge.service_id)
    )


def charge_columns() -> tuple[Any, ...]:
    """A charge with what explains it."""
    return (
        ReportCharge.order_id,
        ReportCharge.service_id,
        ReportCharge.rate_id,
        stored(ReportCharge.quantity),
        stored(ReportCharge.unit_price),
        ReportCharge.tier,
        ReportCharge.bound,
        ReportCharge.matched,
        ReportCharge.amount_minor,
    )


def orders(report: Report) -> Select[*tuple[Any, ...]]:
    """Every order of the report, also one that cost nothing."""
    return (
        select(
            ReportOrder.order_id,
            ReportOrder.order_number,
            ReportOrder.reference_number,
            ReportOrder.order_date,
            ReportOrder.status,
            ReportOrder.ship_to_name,
            ReportOrder.ship_to_address,
            stored(ReportOrder.total_items),
            ReportOrder.line_items,
            ReportOrder.total_minor,
        )
        .where(ReportOrder.report_id == report.id)
        .order_by(ReportOrder.order_id)
    )


def referenced_orders(report: Report) -> Select[*tuple[Any, ...]]:
    """(order id, reference number, day, minor units) of every order of the report."""
    rows = ReportOrder.__table__.c
    return (
        select(rows.order_id, rows.reference_number, rows.order_date, rows.total_minor)
        .where(rows.report_id == report.id)
        .order_by(rows.order_id)
    )


def questions(report: Report) -> Select[*tuple[Any, ...]]:
    """(order id, order number, service name or None, SKU, kind), by kind and order."""
    return (
        select(
            ReportQuestion.order_id,
            ReportQuestion.order_number,
            Service.name,
            ReportQuestion.sku,
            ReportQuestion.kind,
        )
        .select_from(ReportQuestion)
        .outerjoin(Service, Service.id == ReportQuestion.service_id)
        .where(ReportQuestion.report_id == report.id)
        .order_by(ReportQuestion.kind, ReportQuestion.order_id, ReportQuestion.id)
    )


def by_order(
    session: Session,
    report: Report,
    charges: Select[*tuple[Any, ...]],
    orders_read: Select[*tuple[Any, ...]] | None = None,
) -> Iterator[tuple[Row[*tuple[Any, ...]], list[Row[*tuple[Any, ...]]]]]:
    """Each order with its charges; ``charges`` and ``orders`` both select the order's id first.

    Both are sorted by order id, so that two cursors advance in step: no join repeats an order's text for each charge.
    """
    charged = groupby(each(session, charges), key=itemgetter(0))
    order_id, of_order = next(charged, _NO_MORE)
    for order in each(session, orders(report) if orders_read is None else orders_read):
        if order[0] == order_id:
            yield order, list(of_order)
            order_id, of_order = next(charged, _NO_MORE)
        else:
            yield order, []


def service_names(session: Session, report: Report) -> dict[int, str]:
    """The names as of the report's creation."""
    statement = select(ReportServiceTotal.service_id, ReportServiceTotal.service_name)
    rows = session.execute(statement.where(ReportServiceTotal.report_id == report.id))
    return dict(rows.all())


def service_codes(session: Session) -> dict[int, str]:
    return dict(session.execute(select(Service.id, Service.code)).all())


def scaled(value: int, places: int) -> str:
    """A stored integer with its decimal point: ``scaled(1500, 2)`` is ``15.00``."""
    if not places:
        return str(value)
    whole, part = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{places}d}"


@cache
def endings(places: int) -> tuple[int, list[str]]:
    """Minor units in a major unit, and the text after the whole units: ``.00`` to ``.99``.

    For amounts that are never negative: ``f"{minor // unit}{ends[minor % unit]}"`` needs no function call.
    """
    unit = 10**places
    return unit, [f".{part:0{places}d}" if places else "" for part in range(unit)]


@lru_cache(maxsize=4_096)
def trimmed(value: int, places: int) -> str:
    """``scaled`` without trailing zeros: ``trimmed(1500, 3)`` is ``1.5``. Cached: prices and quantities repeat."""
    text = scaled(value, places)
    return text.rstrip("0").rstrip(".") if places else text
