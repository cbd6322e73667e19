"""Reports whose orders have changed since: in the list, and on their page."""

from collections.abc import Sequence

import streamlit as st

from billing_core.reports import outdated
from billing_core.reports.outdated import Outdated
from billing_core.reports.queries import Report
from pages.ui import formats, tables
from pages.ui.reads import Reader
from pages.ui.text import md


def column(read: Reader, reports: Sequence[Report]) -> list[tables.Column]:
    """One column of the list, where a report of it is outdated."""
    found = read.plain(outdated.of, list(reports))
    if not found:
        return []

    def said(report: Report) -> str:
        return _in_short(found[report.id]) if report.id in found else ""

    return [tables.computed("Orders changed", said, help="Since the report was made, and what that makes of its total")]


def on_report(read: Reader, report: Report) -> None:
    """What the report would bill now, and what to do about it."""
    one = read.plain(outdated.of, [report], most=None).get(report.id)
    if one is None:
        return
    st.warning(
        f"Since this report was made, {md(one.words)}. Generate it again to bill its orders as they are now; what was "
        "invoiced by it stays until it is credited or cancelled.",
        icon=":material/sync_problem:",
    )


def _in_short(one: Outdated) -> str:
    """Such as “2 (+3.50 USD)”."""
    orders = formats.count(one.order_count)
    if one.difference is None:
        return orders
    sign = "+" if one.difference.minor > 0 else ""
    return f"{orders} ({sign}{formats.money(one.difference.minor, one.difference.currency)})"
