"""How large amounts can get: which need more than 64 bits on the way, and which are more than can be billed.

SQLite would silently turn a larger integer into a binary float, PostgreSQL fails. So before rating every product is
bounded by one cheap read. Where that bound does not fit into 64 bits the rate is ``wide``, and computed with as many
digits as it takes; where it is more than the largest amount, the orders are looked at one by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import CTE, ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.money import LARGEST_MINOR, QUANTITY_PLACES, Money, decimal_places, nearest
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.rating.amounts import LARGEST, amount, divisor
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

    def sums_may_exceed(self) -> bool:
        """Whether an order's quantities could add up to too much, in items or, which is never less, in cases."""
        return self.quantity(CostType.PER_CASE) > LARGEST


class Bounds:
    """The largest that each rate can come to in any order, judging by the extremes."""

    def __init__(self, rates: Sequence[Terms], extremes: Extremes) -> None:
        # All rates of a card are in one.
        self.currency = rates[0].currency
        self._products = {
            rate.column: extremes.quantity(rate.cost_type) * rate.highest_price for rate in rates if not rate.is_percent
        }
        self.services = sum(self.amount(rate) for rate in rates if not rate.is_percent)
        base = self.services * thousandths(self.currency)
        self._products |= {rate.column: base * rate.highest_price for rate in rates if rate.is_percent}

    def is_wide(self, rate: Terms) -> bool:
        """Whether the product of quantity and price may not fit into 64 bits."""
        return self._products[rate.column] > LARGEST - divisor(rate)

    def amount(self, rate: Terms) -> int:
        """The largest charge, in minor units."""
        rounded = nearest(self._products[rate.column], divisor(rate))
        within = rounded if rate.maximum is None else min(rounded, rate.maximum)
        return max(within, rate.minimum or 0)


def thousandths(currency: str) -> int:
    """How many thousandths of a major unit make a minor unit."""
    return int(10 ** (QUANTITY_PLACES - decimal_places(currency)))


def bounds(session: Session, customer_id: int, period: Period, rates: Sequence[Terms]) -> Bounds:
    """Of the customer's orders in the period. Invalid, naming the order, where its quantities cannot be added up."""
    billable: list[Any] = [Order.customer_id == customer_id, period.contains(Order.order_date), Order.billable]
    extremes = _extremes(session, customer_id, billable)
    found = Bounds(rates, extremes)
    if extremes.sums_may_exceed() or any(map(found.is_wide, rates)):
        extremes = replace(extremes, lines=_most_lines(session, billable))
        found = Bounds(rates, extremes)
    _refuse_sums(session, extremes, billable)
    return found


def refuse_what_is_too_large(
    session: Session, rates: Sequence[Terms], largest: Bounds, quantities: CTE, bases: CTE | None
) -> None:
    """Invalid, naming the order and service, where an amount is more than can be billed. ``quantities`` and ``bases``
    have a row for each order, with a column for each rate."""
    for rate in rates:
        if not rate.is_percent and largest.amount(rate) > LARGEST_MINOR:
            _refuse_amount(session, rate, quantities, quantities.c[rate.column])
    if bases is None:
        return
    if largest.services > LARGEST_MINOR:
        excess = bases.c.base > LARGEST_MINOR * thousandths(largest.currency)
        _refuse(session, _orders(bases, excess, bases.c.base), f"its services come to {_more(largest.currency)}")
    for rate in rates:
        if rate.is_percent and largest.amount(rate) > LARGEST_MINOR:
            _refuse_amount(session, rate, bases, bases.c.base)


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
        _refuse(session, lines.order_by(_LINE.desc()), "the quantity is too large to be billed exactly")
    if extremes.packages * ONE > LARGEST:
        orders = select(Order.number).where(*billable, Order.packages.is_not(None))
        _refuse(session, orders.order_by(Order.packages.desc()), "the number of packages is too large")


def _refuse_amount(session: Session, rate: Terms, rows: CTE, quantity: ColumnElement[int]) -> None:
    """Check order by order; pass where no order is really that large."""
    excess = and_(rows.c[rate.column] > 0, amount(rate, quantity) > LARGEST_MINOR)
    _refuse(session, _orders(rows, excess, quantity), f"{rate.service_name} comes to {_more(rate.currency)}")


def _orders(rows: CTE, which: ColumnElement[bool], size: ColumnElement[int]) -> Rows:
    """The numbers of these orders, the largest first."""
    return select(Order.number).join(rows, rows.c.order_id == Order.id).where(which).order_by(size.desc())


def _more(currency: str) -> str:
    return f"more than {Money(LARGEST_MINOR, currency)}, the most that can be billed"


def _refuse(session: Session, numbers: Rows, reason: str) -> None:
    number = session.scalars(numbers.limit(1)).first()
    if number is not None:
        raise Invalid(f"Order {number}: {reason}")
