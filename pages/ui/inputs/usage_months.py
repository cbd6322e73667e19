"""Choosing the month whose usage is shown, billed or compared. To bill, the newest that has some is proposed."""

from datetime import date, timedelta

from billing_core.dates import Period, add_months, first_of_month, last_of_month
from billing_core.metering import queries
from pages.ui import formats
from pages.ui.inputs import filters
from pages.ui.reads import Reader

KEY = "usage_month"
_OFFERED = 24


def choose(read: Reader, *, page_key: str) -> Period:
    """The month that is shown: the present one by default, whose forecast and alerts are what people look for."""
    this_month = first_of_month(read.today)
    newest = _newest(read, last_of_month(this_month)) or this_month
    names = _names(this_month, newest)
    names[f"{this_month:%Y-%m}"] += ", so far"
    return _chosen("Month", names, this_month, key=KEY, page_key=page_key)


def choose_past(read: Reader, label: str, *, key: str) -> Period:
    """One that is over; where nobody used anything in any, the last one."""
    last_day = first_of_month(read.today) - timedelta(days=1)
    last_month = first_of_month(last_day)
    usual = _newest(read, last_day) or last_month
    return _chosen(label, _names(last_month, usual), usual, key=key)


def _newest(read: Reader, until: date) -> date | None:
    day = read(queries.newest_day, until=until)
    return None if day is None else first_of_month(day)


def _names(first: date, usual: date) -> dict[str, str]:
    """Two years back from the first, and from the usual one where it lies before them."""
    back = range(_OFFERED)
    months = sorted({add_months(start, -one) for start in (first, usual) for one in back}, reverse=True)
    return {f"{month:%Y-%m}": formats.month(month) for month in months}


def _chosen(label: str, names: dict[str, str], usual: date, *, key: str, page_key: str = "") -> Period:
    return Period.month_of(filters.month(label, names, key=key, page_key=page_key, usual=f"{usual:%Y-%m}"))
