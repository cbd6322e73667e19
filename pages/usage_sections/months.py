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
    months = [add_months(this_month, -back) for back in range(1, _OFFERED)]
    chosen = filters.choice(
        "Month",
        [f"{month:%Y-%m}" for month in months],
        key=KEY,
        page_key=page_key,
        names={f"{month:%Y-%m}": formats.month(month) for month in months},
        every=f"{formats.month(this_month)}, so far",
        width=215,
    )
    return Period.month_of(date.fromisoformat(f"{chosen}-01") if chosen else this_month)
