"""What rating needs to know about each order: one row an order, with only the facts that the rates use.

Orders and lines are read once, in the order of the index on customer and day. Quantities are thousandths.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
)

from billing_core.database.folding import folded_word
from billing_core.dates import Period
from billing_core.money import QUANTITY_PLACES
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.rating.conditions import FIELDS, OPPOSITE, Kind, leaves
from billing_core.rating.models import CostType
from billing_core.rating.terms import Terms

ONE: int = 10**QUANTITY_PLACES

# SELECTs of whatever columns.
Rows = Select[*tuple[Any, ...]]
Statement = Rows | CompoundSelect[*tuple[Any, ...]]

# A fact's name and the SKUs (or part of a SKU) that it covers; without SKUs, all lines.
Need = tuple[str, tuple[str, ...]]

_MEASURES = {
    CostType.PER_ITEM: "items",
    CostType.PER_SKU: "ordered_skus",
    CostType.PER_CASE: "cases",
    CostType.PER_LOOSE_UNIT: "loose_units",
    CostType.PER_PACKAGE: "packages",
    CostType.PER_WEIGHT_UNIT: "weight",
}
_OF_LINES = frozenset({"items", "distinct_skus", "ordered_skus", "cases", "loose_units", "lines"})
_COUNTED_FIELDS = {"quantity": "items", "sku_count": "distinct_skus", "line_count": "lines"}


class OrderFacts:
    """A SELECT of the facts that these rates need, and its columns by need. Columns that are always there:
    ``order_id``, ``order_date``. Only billable orders of the period.
    """

    def __init__(
        self,
        customer_id: int,
        period: Period,
        rates: Iterable[Terms],
        *,
        order_id: int | None = None,
        among: Select[int] | None = None,
        also: Iterable[Need] = (),
    ) -> None:
        needs = dict.fromkeys([*also, *(need for rate in rates for need in _needs(rate))])
        self._names = {need: f"{need[0]}_{index}" for index, need in enumerate(needs)}
        columns = [_expression(need).label(name) for need, name in self._names.items()]
        statement = select(Order.id.label("order_id"), Order.order_date, *columns).where(
            Order.customer_id == customer_id, period.contains(Order.order_date), Order.billable
        )
        if order_id is not None:
            statement = statement.where(Order.id == order_id)
        if among is not None:
            statement = statement.where(Order.id.in_(among))
        self.rows: FromClause = _over_lines(statement, customer_id, needs).subquery("facts")

    def __getitem__(self, need: Need) -> ColumnElement[Any]:
        return self.rows.c[self._names[need]]

    def keep(self) -> None:
        """Materialize the rows for a statement that reads them several times."""
        self.rows = select(self.rows).cte("kept_facts").prefix_with("MATERIALIZED")

    @property
    def order_id(self) -> ColumnElement[int]:
        return self.rows.c.order_id

    def base_quantity(self, rate: Terms) -> ColumnElement[int]:
        """The quantity that the price is multiplied by, in thousandths, before tiers; never NULL."""
        need = measure(rate)
        if need is None:
            quantity: ColumnElement[int] = literal(ONE, BigInteger)
        elif rate.cost_type is CostType.PER_SKU:
            quantity = self[need] * ONE
        elif rate.cost_type is CostType.PER_PACKAGE:
            quantity = func.coalesce(self[need], 0) * ONE
        else:
            quantity = func.coalesce(self[need], 0)
        if rate.skus and (need is None or not need[1]):
            return case((self["lines", rate.skus] > 0, quantity), else_=0)
        return quantity

    def holds(self, rate: Terms, period: Period) -> ColumnElement[bool] | None:
        """Whether the order's day lies in the rate's validity; None where it always does."""
        bounds = []
        if rate.valid_from > period.start:
            bounds.append(self.rows.c.order_date >= rate.valid_from)
        if rate.valid_to is not None and rate.valid_to < period.end:
            bounds.append(self.rows.c.order_date <= rate.valid_to)
        return and_(*bounds) if bounds else None


def measure(rate: Terms) -> Need | None:
    """The fact that is the rate's base quantity; None where it is one per order, or other charges."""
    name = _MEASURES.get(rate.cost_type)
    if name is None:
        return None
    return (name, rate.skus if name in _OF_LINES else ())


def needed_by_leaf(leaf: dict[str, Any]) -> Need:
    """The fact that one comparison of a condition looks at."""
    field = leaf["field"]
    if FIELDS[field] is not Kind.SKUS:
        return (_COUNTED_FIELDS.get(field, field), ())
    positive = OPPOSITE.get(leaf["op"], leaf["op"])
    value = leaf["value"]
    return (f"sku_{positive}", tuple(value) if isinstance(value, list) else (value,))


def _needs(rate: Terms) -> Iterator[Need]:
    need = measure(rate)
    if need is not None:
        yield need
    if rate.skus and (need is None or not need[1]):
        yield ("lines", rate.skus)
    if rate.condition:
        yield from map(needed_by_leaf, leaves(rate.condition))


def _over_lines(statement: Rows, customer_id: int, needs: Iterable[Need]) -> Rows:
    """Join the lines, and the products, only where a fact needs them."""
    names = {name for name, _ in needs}
    if not any(name in _OF_LINES or name.startswith("sku_") for name in names):
        return statement
    statement = statement.outerjoin(OrderLine, OrderLine.order_id == Order.id)
    if names & {"cases", "loose_units"}:
        statement = statement.outerjoin(
            Product, and_(Product.customer_id == customer_id, Product.sku_key == OrderLine.sku_key)
        )
    # Grouped by day first, so that the rows come in the index's order and need no sort.
    return statement.group_by(Order.order_date, Order.id)


def _expression(need: Need) -> ColumnElement[Any]:
    name, values = need
    if name in _OF_LINES:
        return _LINE_FACTS[name](values)
    if name.startswith("sku_"):
        return _sku_flag(name.removeprefix("sku_"), values)
    column: ColumnElement[Any] = getattr(Order, name).expression
    return as_integer(column) if FIELDS[name] is Kind.NUMBER else folded_word(column)


def as_integer(column: ColumnElement[Any]) -> ColumnElement[int]:
    """A scaled column as the integer that it is stored as."""
    return type_coerce(column, BigInteger)


_quantity = OrderLine.quantity


def _of(skus: tuple[str, ...], value: Any) -> ColumnElement[Any]:
    """The value on lines of these SKUs (without SKUs, on every line), else NULL."""
    return case((OrderLine.sku_key.in_(skus), value)) if skus else value


def _total(value: Any) -> ColumnElement[int]:
    # PostgreSQL sums bigint to numeric, whose division does not truncate.
    return cast(func.coalesce(func.sum(value), 0), BigInteger)


def _cases(skus: tuple[str, ...]) -> ColumnElement[int]:
    return _total(_by_case(skus, whole=True))


def _loose_units(skus: tuple[str, ...]) -> ColumnElement[int]:
    return _total(_by_case(skus, whole=False))


def _by_case(skus: tuple[str, ...], *, whole: bool) -> ColumnElement[Any]:
    quantity, size = as_integer(_quantity.expression), as_integer(Product.case_size.expression)
    split = (quantity // size) * ONE if whole else quantity % size
    # A SKU without a product, and a product without a case size, are questions, not quantities.
    return _of(skus, case((size == 0, 0 if whole else quantity), (size > 0, split)))


_LINE_FACTS: dict[str, Callable[[tuple[str, ...]], ColumnElement[Any]]] = {
    "items": lambda skus: _total(_of(skus, as_integer(_quantity.expression))),
    "distinct_skus": lambda skus: func.count(func.distinct(_of(skus, OrderLine.sku_key))),
    "ordered_skus": lambda skus: func.count(func.distinct(_of(skus, case((_quantity > 0, OrderLine.sku_key))))),
    "lines": lambda skus: func.count(_of(skus, OrderLine.id)),
    "cases": _cases,
    "loose_units": _loose_units,
}


def _sku_flag(op: str, values: tuple[str, ...]) -> ColumnElement[int]:
    """1 where the order's SKUs satisfy the positive operator, else 0 (also without lines)."""
    key = OrderLine.sku_key
    match op:
        case "starts_with":
            hit = key.startswith(values[0], autoescape=True)
        case "ends_with":
            hit = key.endswith(values[0], autoescape=True)
        case _:
            hit = key.in_(values)
    every_or_some = func.min if op == "eq" else func.max
    return func.coalesce(every_or_some(case((hit, 1), else_=0)), 0)
