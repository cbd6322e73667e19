"""A customer's rate card as SQL: the orders of a period, their charges, and their open questions.

Each function returns one SELECT, the same on SQLite and PostgreSQL, to be inserted from or read. Orders and their lines
are read once: facts → the quantity of every rate, kept for the statement → one arm for each rate.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from billing_core.database.functions import rounded_product
from billing_core.dates import Period
from billing_core.money import LARGEST_MINOR
from billing_core.orders.models import Order, OrderLine
from billing_core.rating import amounts, limits
from billing_core.rating.facts import OrderFacts, Rows, Statement, as_integer
from billing_core.rating.matching import matches
from billing_core.rating.meaning import describe
from billing_core.rating.questions import questions as open_questions
from billing_core.rating.terms import Terms, card, history

MATCHED_LENGTH = 500


def orders(customer_id: int, period: Period) -> Rows:
    """Every billable order of the period, also those that cost nothing.

    Columns: order_id, order_number, reference_number, order_date, status, ship_to_name, ship_to_address,
    total_items (thousandths), line_items.
    """
    return (
        select(
            Order.id.label("order_id"),
            Order.number.label("order_number"),
            Order.reference_number,
            Order.order_date,
            Order.status,
            Order.ship_to_name,
            Order.ship_to_address,
            cast(func.coalesce(func.sum(as_integer(OrderLine.quantity.expression)), 0), BigInteger).label(
                "total_items"
            ),
            func.count(OrderLine.id).label("line_items"),
        )
        .outerjoin(OrderLine, OrderLine.order_id == Order.id)
        .where(Order.customer_id == customer_id, period.contains(Order.order_date), Order.billable)
        .group_by(Order.order_date, Order.id)
    )


def charges(
    session: Session,
    customer_id: int,
    period: Period,
    service_ids: Collection[int] | None = None,
    *,
    order_id: int | None = None,
    among: Select[int] | None = None,
) -> Statement | None:
    """One row for each order and service with a quantity above 0; None where the customer has no rates.

    ``order_id``, or ``among`` (a SELECT of ids): of these orders alone.

    Columns: order_id, service_id, rate_id, quantity (thousandths), unit_price (millionths), tier, bound, matched,
    amount_minor. A percentage covers all of the order's other services, even where only some are requested.
    Invalid names the order and service whose amount is more than can be billed.
    """
    rates = card(session, customer_id, period, service_ids or ())
    if not rates:
        return None
    largest = limits.bounds(session, customer_id, period, rates)
    rates = [replace(rate, wide=largest.is_wide(rate)) for rate in rates]
    facts = OrderFacts(customer_id, period, rates, order_id=order_id, among=among)
    quantities = _quantities(facts, rates, period)
    bases = _bases(quantities, rates, largest)
    limits.refuse_what_is_too_large(session, rates, largest, quantities, bases)
    chosen_rates = [rate for rate in rates if not service_ids or rate.service_id in service_ids]
    if not chosen_rates:
        return None
    arms = [_arm(rate, quantities, bases) for rate in chosen_rates]
    return arms[0] if len(arms) == 1 else union_all(*arms)


def questions(
    session: Session,
    customer_id: int,
    period: Period,
    service_ids: Collection[int] | None = None,
    *,
    order_id: int | None = None,
) -> Statement:
    """The open questions of the period's orders, at most once for each order, service, SKU and kind.

    Columns: order_id, order_number, service_id (NULL: no service in particular), sku (empty: none), kind.
    """
    rates = [rate for rate in history(session, customer_id) if not service_ids or rate.service_id in service_ids]
    return open_questions(customer_id, period, rates, order_id=order_id)


def _quantities(facts: OrderFacts, rates: Sequence[Terms], period: Period) -> CTE:
    """One row an order: each rate's quantity, 0 where it does not apply; for a percentage, 1 where it applies."""
    columns = [_quantity(rate, facts, period).label(rate.column) for rate in rates]
    # Every arm reads it: materialized, whatever the planner would choose.
    return select(facts.order_id, *columns).cte("quantities").prefix_with("MATERIALIZED")


def _quantity(rate: Terms, facts: OrderFacts, period: Period) -> ColumnElement[int]:
    quantity = facts.base_quantity(rate)
    tests = [] if (held := facts.holds(rate, period)) is None else [held]
    if rate.condition is not None:
        tests.append(matches(rate.condition, facts))
    return case((and_(*tests), quantity), else_=0) if tests else quantity


def _bases(quantities: CTE, rates: Sequence[Terms], largest: limits.Bounds) -> CTE | None:
    """One row an order: the sum of its charges that are not percentages, in thousandths of a major unit."""
    if not any(rate.is_percent for rate in rates):
        return None
    total: ColumnElement[int] = literal(0, BigInteger)
    for rate in rates:
        if not rate.is_percent:
            quantity = quantities.c[rate.column]
            total = total + case((quantity > 0, amounts.amount(rate, quantity)), else_=0)
    factor = limits.thousandths(largest.currency)
    if largest.services > LARGEST_MINOR:
        base: ColumnElement[int] = rounded_product(total, factor, divisor=1, most=amounts.TOO_MUCH * factor)
    else:
        base = total * factor
    applied = [quantities.c[rate.column] for rate in rates if rate.is_percent]
    return select(quantities.c.order_id, *applied, base.label("base")).cte("bases").prefix_with("MATERIALIZED")


def _arm(rate: Terms, quantities: CTE, bases: CTE | None) -> Rows:
    """The charges of one rate: of the orders whose quantity is above 0."""
    rows, applies = quantities, [quantities.c[rate.column] > 0]
    quantity: ColumnElement[int] = quantities.c[rate.column]
    if rate.is_percent and bases is not None:
        rows, quantity = bases, bases.c.base
        applies = [bases.c[rate.column] > 0, quantity > 0]
    matched = describe(rate.condition)[:MATCHED_LENGTH] if rate.condition else None
    return select(
        rows.c.order_id,
        literal(rate.service_id, Integer).label("service_id"),
        literal(rate.rate_id, Integer).label("rate_id"),
        quantity.label("quantity"),
        amounts.unit_price(rate, quantity).label("unit_price"),
        amounts.tier(rate, quantity).label("tier"),
        amounts.bound(rate, quantity).label("bound"),
        (cast(null(), String) if matched is None else literal(matched, String)).label("matched"),
        amounts.amount(rate, quantity).label("amount_minor"),
    ).where(*applies)
