"""A plan's terms as tables show them."""

from typing import Any

from billing_core.plans.models import PlanInterval
from pages.ui import formats, tables

INTERVALS = {PlanInterval.MONTH: "a month", PlanInterval.YEAR: "a year"}


def columns() -> list[tables.Column]:
    """Of whatever has the columns of a version."""
    return [
        tables.money("Price", "price_minor"),
        tables.currency_of(),
        tables.computed("Due", lambda row: INTERVALS[row.interval], width=80),
        tables.count("Included calls", "included_calls", help="In each month of usage, whatever the interval"),
        tables.computed("A call beyond", price_per_call, right=True),
    ]


def price_per_call(row: Any) -> str:
    return formats.price(row.price_per_call, row.currency)
