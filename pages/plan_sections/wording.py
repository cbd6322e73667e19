"""A plan's terms as tables and sentences show them."""

from typing import Any

from billing_core.plans.models import BillingTiming, PlanInterval, TrialEnd
from pages.ui import formats, tables

INTERVALS = {
    PlanInterval.DAY: "a day",
    PlanInterval.WEEK: "a week",
    PlanInterval.MONTH: "a month",
    PlanInterval.QUARTER: "a quarter",
    PlanInterval.YEAR: "a year",
}
TIMINGS = {BillingTiming.ADVANCE: "In advance", BillingTiming.ARREARS: "In arrears"}
TRIAL_ENDS = {
    TrialEnd.CANCEL: "It is canceled",
    TrialEnd.PAUSE: "It is paused",
    TrialEnd.INVOICE: "An invoice with a link is sent",
}


def columns() -> list[tables.Column]:
    """Of whatever has the columns of a version."""
    return [
        tables.money("Price", "price_minor"),
        tables.currency_of(),
        tables.computed("Due", due, width=110),
        tables.count("Included calls", "included_calls", help="In each month of usage, whatever the interval"),
        tables.computed("A call beyond", price_per_call, right=True),
    ]


def due(terms: Any) -> str:
    """``a month``, ``every 3 months``."""
    if terms.interval_count == 1:
        return INTERVALS[terms.interval]
    return f"every {formats.counted(terms.interval_count, terms.interval.value)}"


def price_per_call(row: Any) -> str:
    return formats.price(row.price_per_call, row.currency)
