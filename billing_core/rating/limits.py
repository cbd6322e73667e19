"""Amounts are 64-bit integers; SQLite would silently turn a larger one into a binary float.

So every product and sum is checked to fit before rating: by a bound from one cheap read, and order by order only where
that bound is too coarse.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import CTE, ColumnElement, func, select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.money import QUANTITY_PLACES, decimal_places, nearest
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.rating.amounts import LARGEST, divisor
from billing_core.rating.facts import ONE, Rows, as_integer
from billing_core.rating.models import CostType
from billing_core.rating.terms import Terms

_LINE = as_integer(OrderLine.quantity.expression)
_WEIGHT = as_integer(Order.weight.expression)


@dataclass(frozen=True, slots=True)
class Extremes:
    """Upper bounds over all orders: ``line`` quantity and ``weight`` (thousandths), ``lines``, ``packages``.
    ``cases_a_unit``: the most cases in a unit: 1, unless a case holds less than one unit.
    """

    line: int
    lines: int
    weight: int
    packages: int
    cases_a_unit: int

    def quantity(self, cost_type: CostType) -> int:
        """The largest base quantity of an order, in thousandths."""
        match cost_type:
            case CostType.PER_ITEM | CostType.PER_LOOSE_UNIT:
                return self.line * self.lines
            case CostType.PER_CASE:
                return self.line * self.lines * self.cases_a_unit
            case CostType.PER_SKU:
                return self.lines * ONE
            case CostType.PER_PACKAGE:
                return self.packages * ONE
            case CostType.PER_WEIGHT_UNIT:
                return self.weight
            case _:
                return ONE

    def product(self, rate: Terms) -> int:
        """The largest product of an order's quantity and the price."""
        return self.quantity(rate.cost_type) * rate.highest_price

    def may_exceed(self, rate: Terms) -> bool:
        """Whether an order's amount could be too large, judging by these extremes."""
        return self.product(rate) > LARGEST - divisor(rate)

    def sums_may_exceed(self) -> bool:
        """Whether an order's quantities could add up to too much, in items or, which is never less, in cases."""
        return self.quantity(CostType.PER_CASE) > LARGEST


def refuse_what_would_overflow(
    session: Session,
    customer_id: int,
    period: Period,
    rates: Sequence[Terms],
    quantities: CTE,
    bases: CTE | None,
) -> None:
    """Invalid, naming the order and service, where an amount would not fit into 64 bits."""
    billable: list[Any] = [Order.customer_id == customer_id, period.contains(Order.order_date), Order.billable]
    plain = [rate for rate in rates if not rate.is_percent]
    extremes = _extremes(session, customer_id, billable)
    if extremes.sums_may_exceed() or any(map(extremes.may_exceed, plain)):
        extremes = replace(extremes, lines=_most_lines(session, billable))
    _refuse_sums(session, extremes, billable)
    for rate in filter(extremes.may_exceed, plain):
        _refuse_amount(session, rate, quantities, quantities.c[rate.column])
    if bases is not None:
        _refuse_percentages(session, rates, extremes, bases)


def _extremes(session: Session, customer_id: int, billable: Iterable[Any]) -> Extremes:
    of_orders = select(
        func.max(_LINE),
        func.count(OrderLine.id),
        func.max(_WEIGHT),
        func.max(Order.packages),
    ).select_from(Order)
    found = session.execute(of_orders.outerjoin(OrderLine, OrderLine.order_id == Order.id).where(*billable)).one()
    line, lines, weight, packages = (value or 0 for value in found)
    smallest = session.scalar(
        select(func.min(as_integer(Product.case_size.expression))).where(
            Product.customer_id == customer_id, Product.case_size > 0
        )
    )
    return Extremes(line, lines, weight, packages, cases_a_unit=-(-ONE // min(smallest or ONE, ONE)))


def _most_lines(session: Session, billable: Iterable[Any]) -> int:
    """The number of lines of the order that has the most."""
    counted = select(func.count().label("lines")).join(OrderLine, OrderLine.order_id == Order.id).where(*billable)
    of_orders = counted.select_from(Order).group_by(Order.order_date, Order.id).subquery()
    return session.scalar(select(func.max(of_orders.c.lines))) or 0


def _refuse_sums(session: Session, extremes: Extremes, billable: Iterable[Any]) -> None:
    """An order's sum of quantities must fit even before any price."""
    if extremes.sums_may_exceed():
        lines = select(Order.number).join(OrderLine, OrderLine.order_id == Order.id).where(*billable)
        _refuse(session, lines.order_by(_LINE.desc()), "quantity")
    if extremes.packages * ONE > LARGEST:
        orders = select(Order.number).where(*billable, Order.packages.is_not(None))
        _refuse(session, orders.order_by(Order.packages.desc()), "number of packages")


def _refuse_amount(session: Session, rate: Terms, rows: CTE, quantity: ColumnElement[Any]) -> None:
    """Check order by order; pass where no order is really that large."""
    too_large = (LARGEST - divisor(rate)) // rate.highest_price
    statement = (
        select(Order.number)
        .join(rows, rows.c.order_id == Order.id)
        .where(quantity > too_large, rows.c[rate.column] > 0)
        .order_by(quantity.desc())
    )
    _refuse(session, statement, f"amount of {rate.service_name}")


def _refuse_percentages(session: Session, rates: Sequence[Terms], extremes: Extremes, bases: CTE) -> None:
    plain = [rate for rate in rates if not rate.is_percent]
    thousandths = 10 ** (QUANTITY_PLACES - decimal_places(rates[0].currency))
    # Whatever the orders are: their products have been found to fit.
    if sum(_charge_up_to(LARGEST, rate) for rate in plain) * thousandths > LARGEST:
        raise Invalid("The minimum charges of this customer's rates are too large to be added up exactly")
    largest = sum(_charge_up_to(extremes.product(rate), rate) for rate in plain) * thousandths
    for rate in rates:
        if rate.is_percent and largest * rate.highest_price > LARGEST - divisor(rate):
            _refuse_amount(session, rate, bases, bases.c.base)


def _charge_up_to(product: int, rate: Terms) -> int:
    """The largest charge, in minor units, where quantity times price is no more than this product."""
    rounded = nearest(product, divisor(rate))
    within = rounded if rate.maximum is None else min(rounded, rate.maximum)
    return max(within, rate.minimum or 0)


def _refuse(session: Session, numbers: Rows, what: str) -> None:
    number = session.scalars(numbers.limit(1)).first()
    if number is not None:
        raise Invalid(f"Order {number}: the {what} is too large to be billed exactly")
