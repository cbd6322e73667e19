"""What reports would say, before any is made."""

from collections import Counter

import streamlit as st

from billing_core.reports.service import Preview
from billing_core.reports.wording import question_words
from pages.report_sections import changes
from pages.ui import formats, tables
from pages.ui.figures.cards import wall
from pages.ui.text import md

MOST_NAMED = 10


def draw(previews: list[Preview]) -> None:
    if not previews:
        st.info("Nobody has orders to bill in this period. Choose another one.", icon=":material/info:")
        return
    sums: Counter[str] = Counter()
    for one in previews:
        sums[one.report.currency] += one.report.total_minor
    questions = sum(one.report.question_count for one in previews)
    twice = sum(one.overlaps.charge_count for one in previews)
    changed = [one for one in previews if not one.unchanged]
    with wall(len(sums) + 3 + bool(twice)):
        for currency in sorted(sums):
            st.metric(f"Total, {currency}", formats.money(sums[currency], currency), border=True)
        st.metric("Reports", formats.count(len(previews)), border=True)
        st.metric("New or changed", formats.count(len(changed)), border=True)
        st.metric("Questions", formats.count(questions), border=True)
        if twice:
            st.metric("Charges billed twice", formats.count(twice), border=True)
    if twice:
        st.warning(
            "Some orders are on other current reports of an overlapping period. Open a row to see which.",
            icon=":material/content_copy:",
        )
    if unpriced := [one.report.customer_name for one in previews if one.without_rates]:
        st.warning(_without_rates(unpriced), icon=":material/price_change:")
    tables.show(
        previews,
        [
            tables.computed("Customer", lambda one: one.report.customer_name),
            tables.computed(
                "Total", lambda one: formats.amount(one.report.total_minor, one.report.currency), right=True
            ),
            tables.computed("Currency", lambda one: one.report.currency),
            tables.computed("Orders", lambda one: formats.count(one.report.order_count), right=True),
            tables.computed("Questions", lambda one: formats.count(one.report.question_count), right=True),
            tables.computed("Billed twice", lambda one: formats.count(one.overlaps.charge_count), right=True),
            tables.badge("Compared", _compared, {"New": "green", "Changed": "orange", "Unchanged": "gray"}),
            tables.computed("Difference", _difference, right=True),
        ],
        key="preview_table",
        alt="Preview of the reports",
        opens=_choose,
        height=420 if len(previews) > 11 else "content",
    )
    st.caption("Click a row for its services, questions, changes and orders billed twice.")
    chosen = st.session_state.pop("preview_row", None)
    if chosen is not None:
        _one(chosen)


def _without_rates(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    has, theirs = ("has", "Its report comes") if len(names) == 1 else ("have", "Their reports come")
    return (
        f"{formats.counted(len(names), 'customer')} with orders {has} no rate on their days (**{md(shown)}**). "
        f"{theirs} to 0 until rates are added under “Rate cards”."
    )


@st.dialog("Preview of one report", width="large", icon=":material/visibility:")
def _one(one: Preview) -> None:
    currency = one.report.currency
    st.markdown(
        f"**{md(one.report.customer_name)}**, {md(formats.period(one.report.period))}: "
        f"**{md(formats.money(one.report.total_minor, currency))}** "
        f"for {formats.counted(one.report.order_count, 'order')}"
    )
    if one.services:
        tables.show(
            one.services,
            [
                tables.text("Service", "service_name"),
                tables.count("Orders", "order_count"),
                tables.quantity("Quantity", "quantity"),
                tables.money("Amount", "amount_minor", currency=lambda _: currency),
            ],
            key="preview_services",
            alt="Totals by service",
        )
    for kind, count in one.questions.items():
        st.warning(f"{question_words(kind)}: {formats.count(count)}", icon=":material/help:")
    if one.difference and not one.unchanged:
        st.markdown(
            f"**Against the current version:** {md(formats.change_of_money(one.difference.total_minor, currency))}"
        )
        tables.show(
            one.service_changes,
            [tables.text("Service", "service_name"), *changes.difference_columns(currency)],
            key="preview_changes",
            alt="Differences by service",
        )
    if one.overlaps:
        st.markdown(f"**Billed twice:** {formats.counted(one.overlaps.charge_count, 'charge')}, the first of them:")
        tables.show(
            one.overlapping,
            changes.overlap_columns(currency),
            key="preview_twice",
            alt="Charges that stand on another current report",
        )


def _compared(one: Preview) -> str:
    if one.current is None:
        return "New"
    return "Unchanged" if one.unchanged else "Changed"


def _difference(one: Preview) -> str:
    return formats.change(one.difference.total_minor, one.report.currency) if one.difference else formats.NOTHING


def _choose(one: Preview) -> None:
    st.session_state["preview_row"] = one
