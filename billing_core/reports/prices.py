"""What the services of reports were charged at: each price that held, and how much was charged at it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, Row, Select, bindparam, func, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.money import Money
from billing_core.rating.models import CostType, Rate, TierMode
from billing_core.rating.slices import Slice, graduated
from billing_core.rating.terms import tiers_of
from billing_core.reports import contents
from billing_core.reports.models import ReportCharge
from billing_core.reports.queries import Report

_TOGETHER = 500
_Charged = Sequence[Row[*tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class AtPrice:
    """Charges of one service at one price: on ``days`` of the report's period, of so many ``orders``. Without a
    ``bound`` its ``slices`` explain ``amount_minor`` up to the rounding of each order; with one, ``minimum`` or
    ``maximum``, each of the orders was charged that instead.
    """

    days: Period
    bound: str | None
    orders: int
    quantity: int
    slices: tuple[Slice, ...]
    amount_minor: int


@dataclass(frozen=True, slots=True)
class PriceRow:
    """What a service was charged on ``days`` at one price: ``quantity`` × ``unit_price``, in major units, is
    ``amount_minor``. ``instead``: what decided it in place of a tier, ``minimum``, ``maximum``, or the ``rounding`` of
    each order, whose row is what the others of the price lack of what was charged. A percentage is a price of one.
    """

    service_name: str
    cost_type: CostType
    days: Period
    tier: int | None
    instead: str | None
    order_count: int
    quantity: Decimal
    unit_price: Decimal
    amount_minor: int


def rows(session: Session, report: Report) -> list[PriceRow]:
    """All that the report was charged at, by service, the largest first; their sum is its total."""
    prices = of_services(session, [report])
    return [
        PriceRow(total.service_name, total.cost_type, at_price.days, *facts)
        for total in contents.service_totals(session, report)
        for at_price in prices.get((report.id, total.service_id), ())
        for facts in _facts(at_price, total.cost_type, report.currency)
    ]


_Facts = tuple[int | None, str | None, int, Decimal, Decimal, int]


def _facts(charged: AtPrice, cost_type: CostType, currency: str) -> Iterator[_Facts]:
    """The columns of ``PriceRow`` from ``tier`` on."""
    if charged.bound:
        each = Money(charged.amount_minor // charged.orders, currency).amount
        yield None, charged.bound, charged.orders, Decimal(charged.orders), each, charged.amount_minor
        return
    left = charged.amount_minor
    for one in charged.slices:
        price = one.unit_price / 100 if cost_type is CostType.PERCENT_OF_SERVICES else one.unit_price
        amount = Money.rounded(one.units * price, currency).minor
        left -= amount
        yield one.tier, None, one.orders, one.units, price, amount
    if left:
        yield None, "rounding", charged.orders, Decimal(1), Money(left, currency).amount, left


def of_services(session: Session, reports: Sequence[Report]) -> dict[tuple[int, int], list[AtPrice]]:
    """By the ids of report and service: first what its first rate charged, by tier and then by bound."""
    periods = {report.id: report.period for report in reports}
    found: dict[tuple[int, int], list[AtPrice]] = {}
    for start in range(0, len(reports), _TOGETHER):
        together = [report.id for report in reports[start : start + _TOGETHER]]
        rows = session.execute(_CHARGED, {"reports": together})
        for _, alike in groupby(rows, key=_terms):
            charged = list(alike)
            first = charged[0]
            days = _days(charged, periods[first.report_id])
            found.setdefault((first.report_id, first.service_id), []).extend(_at_prices(charged, days))
    return found


def _charged() -> Select[*tuple[Any, ...]]:
    """One row for each rate, tier and bound; ``quantity`` in thousandths, ``price`` in millionths."""
    by = (ReportCharge.report_id, ReportCharge.service_id, ReportCharge.rate_id, ReportCharge.tier, ReportCharge.bound)
    sums = (
        select(
            *by,
            func.count().label("orders"),
            type_coerce(func.max(ReportCharge.unit_price), BigInteger).label("price"),
            type_coerce(func.sum(ReportCharge.quantity), BigInteger).label("quantity"),
            func.sum(ReportCharge.amount_minor).label("amount"),
        )
        .where(ReportCharge.report_id.in_(bindparam("reports", expanding=True)))
        .group_by(*by)
        .subquery()
    )
    rate = (Rate.valid_from, Rate.valid_to, Rate.tier_mode, Rate.tiers, Rate.minimum_minor, Rate.maximum_minor)
    columns = sums.c
    return (
        select(*columns, *rate, type_coerce(Rate.unit_price, BigInteger).label("rate_price"))
        .join(Rate, Rate.id == columns.rate_id)
        .order_by(columns.report_id, columns.service_id, Rate.valid_from, Rate.id, columns.tier)
    )


# Built once: building a statement takes as long as running it.
_CHARGED = _charged()


def _terms(row: Row[*tuple[Any, ...]]) -> tuple[Any, ...]:
    """What rates that follow each other must have in common to be one price."""
    rate = (row.rate_price, row.tier_mode, row.tiers, row.minimum_minor, row.maximum_minor)
    return row.report_id, row.service_id, *rate


def _days(charged: _Charged, period: Period) -> Period:
    """Those of the period on which the rates held."""
    ends = [row.valid_to or period.end for row in charged]
    return Period(max(period.start, charged[0].valid_from), min(period.end, max(ends)))


def _at_prices(charged: _Charged, days: Period) -> Iterator[AtPrice]:
    free = [row for row in charged if row.bound is None]
    if charged[0].tier_mode is TierMode.GRADUATED:
        reached = [(row.tier, int(row.orders), int(row.quantity)) for row in free]
        if free:
            yield _summed(free, days, graduated(tiers_of(charged[0].tiers), reached))
    else:
        for _, alike in groupby(sorted(free, key=_tier), key=_tier):
            rows = list(alike)
            at_price = Slice(rows[0].tier, _sum(rows, "quantity"), int(rows[0].price), _sum(rows, "orders"))
            yield _summed(rows, days, [at_price])
    for bound in ("minimum", "maximum"):
        if rows := [row for row in charged if row.bound == bound]:
            yield _summed(rows, days, [])


def _tier(row: Row[*tuple[Any, ...]]) -> int:
    return row.tier or 0


def _summed(rows: _Charged, days: Period, slices: Iterable[Slice]) -> AtPrice:
    orders, quantity, amount = (_sum(rows, name) for name in ("orders", "quantity", "amount"))
    return AtPrice(days, rows[0].bound, orders, quantity, tuple(slices), amount)


def _sum(rows: _Charged, name: str) -> int:
    # PostgreSQL's sums are decimals.
    return int(sum(getattr(row, name) for row in rows))
