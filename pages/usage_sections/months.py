"""Choosing the month whose usage is shown."""

from datetime import date

from billing_core.dates import Period, add_months, first_of_month
from pages.ui import formats
from pages.ui.inputs import filters

KEY = "usage_month"
_OFFERED = 24


def choose(today: date, *, page_key: str) -> Period:
    """The month, the present one by default."""
    this_month = first_of_month(today)
    months = [add_months(this_month, -back) for back in range(_OFFERED)]
    names = {f"{month:%Y-%m}": formats.month(month) for month in months}
    names[f"{this_month:%Y-%m}"] += ", so far"
    return Period.month_of(filters.month("Month", names, key=KEY, page_key=page_key))
