"""The way to what was billed, where the period asked for holds nothing of it."""

import streamlit as st

from billing_core.dates import Period
from billing_core.figures import Scope
from billing_core.reports import figures
from pages.ui import formats
from pages.ui.inputs import filters
from pages.ui.reads import Reader


def draw(read: Reader, scope: Scope, *, period_key: str) -> None:
    newest = read.plain(figures.newest_day, scope)
    if newest is None or scope.period is None:
        return
    month = Period.month_of(newest)
    st.info(
        f"Nothing was billed in {formats.period(scope.period)}. The newest report ends on {formats.day(newest)}.",
        icon=":material/date_range:",
    )
    st.button(
        f"Show {formats.period(month)}",
        key="newest_month",
        icon=":material/arrow_forward:",
        on_click=filters.choose,
        args=(period_key, month),
    )
