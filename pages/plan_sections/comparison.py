"""What the usage of a past month would have cost on a plan."""

from decimal import Decimal

import streamlit as st

from billing_core.metering.models import API_CALLS
from billing_core.plans.listing import VersionRow
from billing_core.usage import comparison
from billing_core.usage.comparison import Comparison
from pages.plan_sections.versions import choose
from pages.ui import formats, tables
from pages.ui.inputs import filters, usage_months
from pages.ui.reads import Reader
from pages.ui.text import md


def draw(read: Reader, versions: list[VersionRow]) -> None:
    """Of any of these versions, the latest by default."""
    with filters.row():
        month = usage_months.choose_past(read, "Month", key="compare_month")
        version = choose(versions, "Version", key="compare_version")
    with st.spinner("Computing what everybody's usage would cost"):
        found = read(comparison.outcome, version.id, month)
    if not found.customers:
        st.info(
            f"Nobody who is billed in {version.currency} used anything in {formats.period(month)}, or was on a plan.",
            icon=":material/info:",
        )
        return
    more = found.cost_instead - found.cost
    with st.grid(3, min_column_width=200, gap="small"):
        st.metric("It cost", formats.money(found.cost.minor, found.cost.currency), border=True)
        st.metric(
            f"On version {version.number}",
            formats.money(found.cost_instead.minor, found.cost_instead.currency),
            border=True,
        )
        st.metric("Difference", formats.change_of_money(more.minor, more.currency), border=True)
    told = f"{formats.counted(found.customers, 'organization')} billed in {version.currency}, by what counts now."
    if found.unknown:
        told += (
            f" Of {formats.count(found.unknown)} of them the cost then or on this plan is not known: they are left out."
        )
    st.caption(md(told) + " The price of the plan itself is no part of it.")
    tables.show(
        found.most_changed,
        [
            tables.text("Organization", "name", width=200),
            tables.text("Key", "ref"),
            tables.computed("Calls", _calls, right=True),
            tables.money("It cost", "cost"),
            tables.money("On this version", "cost_instead"),
            tables.computed("Difference", _difference, right=True),
            tables.computed("Currency", lambda _: version.currency, width=80),
        ],
        key="compared",
        alt="Organizations whose cost would change most",
    )
    st.caption("The organizations whose cost would change most.")


def _calls(row: Comparison) -> str:
    return formats.decimal(sum((one.quantity for one in row.charged if one.meter == API_CALLS), Decimal(0)))


def _difference(row: Comparison) -> str:
    return formats.NOTHING if row.difference is None else formats.change(row.difference.minor, row.difference.currency)
