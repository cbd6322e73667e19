"""One click for a month: the newest months in which there is something."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from billing_core.dates import Period, last_of_month
from pages.ui import formats
from pages.ui.inputs import filters

OFFERED = 6


def offer(months: Sequence[date], *, key: str, days: tuple[str, str], page_key: str) -> None:
    """Buttons that set the two day filters of these keys to a month, and one of which is lit while they hold it."""
    if not months:
        return
    first, last = (st.session_state.get(one) for one in days)
    st.session_state[key] = next((one for one in months if one == first and last == last_of_month(one)), None)
    st.pills(
        "Month",
        months,
        format_func=formats.month,
        key=key,
        on_change=_set_days,
        args=(key, days, page_key),
        label_visibility="collapsed",
    )


def offer_period(months: Sequence[date], period: Period, *, key: str) -> None:
    """The same for the period filter of this key, which holds ``period``."""
    if not months:
        return
    shown = f"{key}_month"
    is_one = period.start in months and period == Period.month_of(period.start)
    st.session_state[shown] = period.start if is_one else None
    st.pills(
        "Month",
        months,
        format_func=formats.month,
        key=shown,
        on_change=_choose,
        args=(shown, key),
        label_visibility="collapsed",
    )


def proposed(months: Sequence[date], today: date) -> Period:
    """The newest of these that is over, or the newest at all; last month where there is none."""
    over = [month for month in months if last_of_month(month) < today]
    return next((Period.month_of(month) for month in (*over, *months)), Period.last_month(today))


def _set_days(key: str, days: tuple[str, str], page_key: str) -> None:
    month = st.session_state[key]
    st.session_state[days[0]] = month
    st.session_state[days[1]] = None if month is None else last_of_month(month)
    filters.first_page(page_key)


def _choose(shown: str, key: str) -> None:
    """A click on the month that is lit leaves it."""
    if (month := st.session_state[shown]) is not None:
        filters.choose(key, Period.month_of(month))
