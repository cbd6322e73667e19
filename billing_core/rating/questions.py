"""Orders that the rates could not bill in full, and why: open questions for a person to settle.

A service's question arises only where its rate would apply to the order: on its days, under its conditions.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    and_,
    cast,
    false,
    literal,
    null,
    or_,
    select,
    union_all,
)

from billing_core.dates import Period
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.rating.facts import Need, OrderFacts, Rows, Statement
from billing_core.rating.matching import matches
from billing_core.rating.models import CostType, QuestionKind
from billing_core.rating.terms import Terms

_BY_CASE = frozenset({CostType.PER_CASE, CostType.PER_LOOSE_UNIT})
_BY_LINE = _BY_CASE | {CostType.PER_ITEM, CostType.PER_SKU}
_ALWAYS_KNOWN: tuple[Need, ...] = (("lines", ()), ("weight", ()), ("packages", ()))

Days = list[tuple[date, date]]


def questions(customer_id: int, period: Period, rates: Sequence[Terms], *, order_id: int | None = None) -> Statement:
    """One row for each open question: order_id, order_number, service_id or NULL, sku or empty, kind.

    ``rates`` are all rates of the requested services, also those before and after the period.
    """
    arms = [*_days_without_rate(customer_id, period, rates, order_id)]
    if current := [rate for rate in rates if rate.touches(period)]:
        facts = OrderFacts(customer_id, period, current, order_id=order_id, also=_ALWAYS_KNOWN)
        facts.keep()
        for rate in current:
            arms.extend(_missing(rate, facts, period))
            if rate.cost_type in _BY_CASE:
                arms.append(_unknown_cases(customer_id, rate, facts, period))
    if not arms:
        nothing = select(Order.id, Order.number).where(false())
        return _rows(nothing, None, QuestionKind.NO_RATE)
    return arms[0] if len(arms) == 1 else union_all(*arms)


def _days_without_rate(
    customer_id: int, period: Period, rates: Sequence[Terms], order_id: int | None
) -> Iterator[Rows]:
    billable = [Order.customer_id == customer_id, period.contains(Order.order_date), Order.billable]
    if order_id is not None:
        billable.append(Order.id == order_id)
    orders = select(Order.id.label("order_id"), Order.number).where(*billable)
    if uncovered := _uncovered(period, rates):
        yield _rows(orders.where(_on(uncovered)), None, QuestionKind.NO_RATE)
    for service_id in sorted({rate.service_id for rate in rates}):
        mine = [rate for rate in rates if rate.service_id == service_id]
        if gaps := _between(period, mine):
            yield _rows(orders.where(_on(gaps)), service_id, QuestionKind.RATE_GAP)


def _on(days: Days) -> ColumnElement[bool]:
    return or_(*(Order.order_date.between(first, last) for first, last in days))


def _rows(orders: Rows, service_id: int | None, kind: QuestionKind) -> Rows:
    matching = orders.subquery()
    order_id, number = matching.c
    return select(
        order_id.label("order_id"),
        number.label("order_number"),
        (cast(null(), Integer) if service_id is None else literal(service_id, Integer)).label("service_id"),
        literal("", String).label("sku"),
        literal(kind.value, String).label("kind"),
    )


def _missing(rate: Terms, facts: OrderFacts, period: Period) -> Iterator[Rows]:
    """The order's own facts that the service needs and the order lacks."""
    lacks: list[tuple[QuestionKind, ColumnElement[bool]]] = []
    if rate.cost_type in _BY_LINE or rate.skus:
        lacks.append((QuestionKind.NO_LINES, facts["lines", ()] == 0))
    if rate.cost_type is CostType.PER_WEIGHT_UNIT:
        lacks.append((QuestionKind.NO_WEIGHT, facts["weight", ()].is_(None)))
    if rate.cost_type is CostType.PER_PACKAGE:
        lacks.append((QuestionKind.NO_PACKAGES, facts["packages", ()].is_(None)))
    for kind, lack in lacks:
        of_skus = [] if kind is QuestionKind.NO_LINES or not rate.skus else [facts["lines", rate.skus] > 0]
        orders = (
            select(facts.order_id, Order.number)
            .join(Order, Order.id == facts.order_id)
            .where(lack, *of_skus, *_applies(rate, facts, period))
        )
        yield _rows(orders, rate.service_id, kind)


def _unknown_cases(customer_id: int, rate: Terms, facts: OrderFacts, period: Period) -> Rows:
    """Lines of which nobody knows how many units a case holds: this customer has no such product, or one without."""
    restricted = [OrderLine.sku_key.in_(rate.skus)] if rate.skus else []
    return (
        select(
            facts.order_id.label("order_id"),
            Order.number.label("order_number"),
            literal(rate.service_id, Integer).label("service_id"),
            OrderLine.sku_key.label("sku"),
            literal(QuestionKind.UNKNOWN_SKU.value, String).label("kind"),
        )
        .join(Order, Order.id == facts.order_id)
        .join(OrderLine, OrderLine.order_id == Order.id)
        .outerjoin(Product, and_(Product.customer_id == customer_id, Product.sku_key == OrderLine.sku_key))
        .where(Product.case_size.is_(None), OrderLine.quantity > 0, *restricted, *_applies(rate, facts, period))
        .distinct()
    )


def _applies(rate: Terms, facts: OrderFacts, period: Period) -> list[ColumnElement[bool]]:
    held = facts.holds(rate, period)
    condition = [matches(rate.condition, facts)] if rate.condition is not None else []
    return condition if held is None else [held, *condition]


def _uncovered(period: Period, rates: Sequence[Terms]) -> Days:
    """The parts of the period in which none of the rates is valid."""
    uncovered: Days = []
    next_day = period.start
    for rate in sorted(rates, key=lambda rate: rate.valid_from):
        if rate.valid_from > period.end or next_day > period.end:
            break
        if rate.valid_from > next_day:
            uncovered.append((next_day, rate.valid_from - timedelta(days=1)))
        if rate.valid_to is None:
            return uncovered
        next_day = max(next_day, rate.valid_to + timedelta(days=1))
    if next_day <= period.end:
        uncovered.append((next_day, period.end))
    return uncovered


def _between(period: Period, rates: Sequence[Terms]) -> Days:
    """The parts of the period between two rates of one service in which neither is valid."""
    gaps: Days = []
    ordered = sorted(rates, key=lambda rate: rate.valid_from)
    for before, after in pairwise(ordered):
        if before.valid_to is None:
            continue
        first = max(before.valid_to + timedelta(days=1), period.start)
        last = min(after.valid_from - timedelta(days=1), period.end)
        if first <= last:
            gaps.append((first, last))
    return gaps
