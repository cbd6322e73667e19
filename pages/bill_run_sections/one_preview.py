"""What one customer's report would say, computed when somebody asks for it."""

import streamlit as st

from billing_core.bill_runs.progress import Progress
from billing_core.dates import utc_now
from billing_core.reports import service
from billing_core.reports.service import Preview
from billing_core.reports.wording import question_words
from pages.report_sections import changes
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import transaction
from pages.ui.text import md


@st.dialog("Preview of one report", width="large", icon=":material/visibility:")
def dialog(run: Progress, customer_id: int) -> None:
    """Its services, questions, changes and orders billed twice. Everything is rolled back."""
    with transaction() as session:
        one = service.preview(
            session,
            signed_in(),
            customer_id=customer_id,
            period=run.period,
            service_ids=run.service_ids,
            now=utc_now(),
        )
    currency = one.report.currency
    st.markdown(
        f"**{md(one.report.customer_name)}**, {md(formats.period(one.report.period))}: "
        f"**{md(formats.money(one.report.total_minor, currency))}** "
        f"for {formats.counted(one.report.order_count, 'order')}"
    )
    if one.without_rates:
        st.warning(
            "No rate holds on the days of these orders: the report comes to 0 until rates are added under “Rate "
            "cards”.",
            icon=":material/price_change:",
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
    _difference(one)
    if one.overlaps:
        st.markdown(f"**Billed twice:** {formats.counted(one.overlaps.charge_count, 'charge')}, the first of them:")
        tables.show(
            one.overlapping,
            changes.overlap_columns(currency),
            key="preview_twice",
            alt="Charges that stand on another current report",
        )


def _difference(one: Preview) -> None:
    """Against the version that there is."""
    if one.current is None:
        st.caption("There is no report for this period yet.")
    elif one.unchanged or one.difference is None:
        st.caption(f"The current report, version {one.current.version}, says the same.")
    else:
        currency = one.report.currency
        st.markdown(
            f"**Against the current version:** {md(formats.change_of_money(one.difference.total_minor, currency))}"
        )
        tables.show(
            one.service_changes,
            [tables.text("Service", "service_name"), *changes.difference_columns(currency)],
            key="preview_changes",
            alt="Differences by service",
        )
