"""Amounts are 64-bit integers, and SQLite would turn a larger one into a binary float without a word.

So nothing is rated before it is certain that every product and sum fits.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, func, select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.money import QUANTITY_PLACES, decimal_places
from billing_core.orders.models import Order, OrderLine
from billing_core.rating.amounts import LARGEST, divisor
from billing_core.rating.facts import ONE, as_integer
from billing_core.rating.models import CostType
from billing_core.rating.terms import Terms


def refuse_what_would_overflow(
    session: Session,
    customer_id: int,
    period: Period,
    rates: Sequence[Terms],
    quantities: CTE,
    bases: CTE | None,
) -> None:
    """Invalid, naming the order and service, where an amount would not fit into 64 bits.

    First a bound from the largest line, weight and number of packages; only a rate that exceeds it is looked at
    order by order.
    """
    largest = _largest_quantities(session, customer_id, period)
    plain = [rate for rate in rates if not rate.is_percent]
    for rate in plain:
        if largest[rate.cost_type] * rate.highest_price > LARGEST - divisor(rate):
            _refuse_order(session, rate, quantities, quantities.c[f"rate_{rate.rate_id}"])
    if bases is None:
        return
    base = sum(_largest_amount(rate, largest[rate.cost_type]) for rate in plain)
    base *= 10 ** (QUANTITY_PLACES - decimal_places(rates[0].currency))
    if base > LARGEST:
        raise Invalid("The minimum charges of this customer's rates are too large to add up")
    for rate in rates:
        if rate.is_percent and base * rate.highest_price > LARGEST - divisor(rate):
            _refuse_order(session, rate, bases, bases.c.base)


def _largest_quantities(session: Session, customer_id: int, period: Period) -> dict[CostType, int]:
    """An upper bound of one order's quantity for each cost type, in thousandths."""
    billable = (Order.customer_id == customer_id, period.contains(Order.order_date), Order.billable)
    line = as_integer(OrderLine.quantity.expression)
    of_order = (
        select(func.max(line).label("largest"), func.count().label("lines"))
        .select_from(Order)
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(*billable)
        .group_by(Order.order_date, Order.id)
        .subquery()
    )
    largest_line, most_lines = session.execute(
        select(func.coalesce(func.max(of_order.c.largest), 0), func.coalesce(func.max(of_order.c.lines), 0))
    ).one()
    # Cases are whole thousands of thousandths, and a case may hold a thousandth of a unit.
    by_case = largest_line * ONE * most_lines
    if by_case > LARGEST:
        _refuse(session, select(Order.number).join(OrderLine).where(*billable).order_by(line.desc()), "quantity")
    weight, packages = as_integer(Order.weight.expression), Order.packages
    heaviest, most_packages = session.execute(
        select(func.coalesce(func.max(weight), 0), func.coalesce(func.max(packages), 0)).where(*billable)
    ).one()
    if most_packages * ONE > LARGEST:
        _refuse(session, select(Order.number).where(*billable, packages == most_packages), "number of packages")
    return {
        CostType.PER_ORDER: ONE,
        CostType.PER_ITEM: largest_line * most_lines,
        CostType.PER_SKU: most_lines * ONE,
        CostType.PER_CASE: by_case,
        CostType.PER_LOOSE_UNIT: largest_line * most_lines,
        CostType.PER_PACKAGE: most_packages * ONE,
        CostType.PER_WEIGHT_UNIT: heaviest,
    }


def _largest_amount(rate: Terms, quantity: int) -> int:
    unbounded = min(quantity * rate.highest_price, LARGEST) // divisor(rate) + 1
    at_most = unbounded if rate.maximum is None else min(unbounded, rate.maximum)
    return max(at_most, rate.minimum or 0)


def _refuse_order(session: Session, rate: Terms, rows: CTE, quantity: ColumnElement[Any]) -> None:
    """Look order by order; pass where no order is really that large."""
    too_large = (LARGEST - divisor(rate)) // rate.highest_price
    statement = (
        select(Order.number)
        .join(rows, rows.c.order_id == Order.id)
        .where(quantity > too_large, rows.c[f"rate_{rate.rate_id}"] > 0)
        .order_by(quantity.desc())
    )
    _refuse(session, statement, f"amount of {rate.service_name}")


def _refuse(session: Session, numbers: Any, what: str) -> None:
    number = session.scalars(numbers.limit(1)).first()
    if number is not None:
        raise Invalid(f"Order {number}: the {what} is too large to be billed exactly")
