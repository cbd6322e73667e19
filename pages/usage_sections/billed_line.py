"""Where a billed line comes from, so that a person can check it: how its quantity follows from its days, from single
events, or from how long each quantity held.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import streamlit as st

from billing_core.dates import Period
from billing_core.metering.models import BY_DAYS, Aggregation
from billing_core.usage.billed import explaining
from billing_core.usage.billed.explaining import DayPart
from billing_core.usage.billed.lines import Line
from billing_core.usage.exports import events as exports
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.figures.drilldown import say_whether
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.usage_sections import wording
from pages.usage_sections.events import COLUMNS

_DAYS, _USERS, _EVENTS, _VALUES, _HELD = "Days", "Users", "Events", "Values", "What held"
_MOST, _HEIGHT = 200, 320
# What is shown of a line, the first at once.
_SHOWN: Final = {
    Aggregation.COUNT: (_DAYS, _USERS, _EVENTS),
    Aggregation.SUM: (_DAYS, _USERS, _EVENTS),
    Aggregation.MAX: (_DAYS, _USERS, _EVENTS),
    Aggregation.UNIQUE: (_DAYS, _VALUES, _EVENTS),
    Aggregation.LATEST: (_DAYS, _EVENTS),
    Aggregation.TIME_WEIGHTED_SUM: (_HELD, _DAYS, _EVENTS),
}
# What the quantity of a day is.
_OF_A_DAY: Final = {
    Aggregation.COUNT: "Quantity",
    Aggregation.SUM: "Quantity",
    Aggregation.MAX: "Greatest",
    Aggregation.UNIQUE: "New values",
    Aggregation.LATEST: "Latest",
    Aggregation.TIME_WEIGHTED_SUM: "Quantity × seconds",
}


@st.dialog("Where this line comes from", width="large", icon=":material/account_tree:")
def draw(line: Line) -> None:
    read = Reader(signed_in())
    st.metric(md(line.words("en")), wording.money(line.amount))
    days = read(explaining.days, line.id)
    _check(read, line, days)
    choices = _SHOWN[line.aggregation]
    shown = st.segmented_control("Show", choices, default=choices[0], required=True, key="billed_line_of")
    rows, columns = _parts(read, line, shown, days)
    if shown == _EVENTS and (why := read(exports.missing, line.customer_id, Period(line.first_day, line.last_day))):
        st.info(md(formats.with_days(why)), icon=":material/inventory_2:")
    tables.show(rows, columns, key=f"billed_line_{shown}", alt=f"{shown} of the line", height=_HEIGHT)
    if shown != _DAYS:
        st.caption(f"The first {_MOST}.")


def _check(read: Reader, line: Line, days: Sequence[DayPart]) -> None:
    """Say how the quantity of the line follows, and whether it does."""
    quantities = [day.quantity for day in days]
    match line.aggregation:
        case Aggregation.COUNT | Aggregation.SUM:
            total = sum(quantities, Decimal(0))
            say_whether(f"Sum of its days: {formats.decimal(total)}", total == line.quantity)
        case Aggregation.MAX:
            greatest = max(quantities, default=Decimal(0))
            told = f"Greatest of its days: {formats.decimal(greatest)}{_event(read, line)}"
            say_whether(told, greatest == line.quantity)
        case Aggregation.UNIQUE:
            total = sum(quantities, Decimal(0))
            say_whether(
                f"The values that were new on its days add up to {formats.decimal(total)}", total == line.quantity
            )
            st.caption("A value counts once a period, on the day on which it comes first.")
        case Aggregation.LATEST:
            found = read(explaining.reached, line.id)
            latest = Decimal(0) if found is None else found.quantity
            told = f"Latest quantity by the end of these days: {formats.decimal(latest)}{_event(read, line)}"
            say_whether(told, latest == line.quantity)
        case Aggregation.TIME_WEIGHTED_SUM:
            held = read(explaining.held_in_all, line.id)
            told = f"{formats.decimal(held.total)} ÷ {formats.decimal(held.seconds)} = {formats.decimal(held.quantity)}"
            say_whether(told, held.quantity == line.quantity)
            st.caption(
                "Each quantity holds until the next event. Quantities times the seconds for which they held add up to "
                f"{formats.decimal(held.total)}. That is shared out over the seconds of the whole period, "
                f"{formats.decimal(held.seconds)}, and rounded once."
            )


def _event(read: Reader, line: Line) -> str:
    """Such as ``, told by the event “seats-3” of 5 Oct 2023, 12:00``."""
    found = read(explaining.reached, line.id)
    if found is None:
        return ""
    return f", told by the event “{md(found.id)}” of {formats.instant(found.occurred_at, read.company.time_zone)}"


def _parts(
    read: Reader, line: Line, shown: str, days: Sequence[DayPart]
) -> tuple[Sequence[Any], Sequence[tables.Column]]:
    """The rows and columns of what is shown."""
    label = _OF_A_DAY[line.aggregation]
    made: dict[str, Callable[[], tuple[Sequence[Any], Sequence[tables.Column]]]] = {
        _EVENTS: lambda: (read(explaining.events, line.id, limit=_MOST), COLUMNS),
        _USERS: lambda: (
            read(explaining.users, line.id, limit=_MOST),
            [
                tables.computed("User", lambda row: wording.user(row.user)),
                tables.count("Calls" if line.aggregation in BY_DAYS else "Events", "calls"),
                tables.quantity(label, "quantity"),
            ],
        ),
        _VALUES: lambda: (
            read(explaining.values, line.id, limit=_MOST),
            [
                tables.text("Value", "value"),
                tables.text("First event", "event_id"),
                tables.instant("Happened", "occurred_at", read.company.time_zone),
            ],
        ),
        _HELD: lambda: (
            read(explaining.held, line.id, limit=_MOST),
            [
                tables.instant("From", "begun", read.company.time_zone),
                tables.instant("Until", "ended", read.company.time_zone),
                tables.quantity("Quantity", "quantity"),
                tables.quantity("Seconds", "seconds"),
                tables.quantity("Quantity × seconds", "held"),
                tables.text("Event", "event_id"),
            ],
        ),
        _DAYS: lambda: (
            days,
            [
                tables.day("Day", "day"),
                tables.count("Calls" if line.aggregation in BY_DAYS else "Events", "calls"),
                tables.quantity(label, "quantity"),
                tables.count("Users", "users"),
            ],
        ),
    }
    return made[shown]()
