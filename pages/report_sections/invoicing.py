"""Invoicing several reports at once: a rehearsal, then one draft for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import streamlit as st

from billing_core.dates import utc_now
from billing_core.invoices import from_reports
from billing_core.invoices.billed_orders.keeping import before
from billing_core.invoices.from_reports import Grouping
from billing_core.money import Money
from billing_core.reports.queries import Report
from pages.report_sections import invoiced
from pages.ui import context, formats, messages, tables
from pages.ui.context import actor as signed_in
from pages.ui.inputs import number_input
from pages.ui.reads import Reader
from pages.ui.text import md

LINES = {
    Grouping.SERVICE: "A line for each price of a service",
    Grouping.ORDER: "One line for each order",
    Grouping.TOTAL: "One line for everything",
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    report: Report
    reason: str


@st.dialog("Invoice reports", width="large", icon=":material/request_quote:")
def dialog(reports: Sequence[Report]) -> None:
    """Which drafts would be made, and what is left out and why; then make them."""
    actor = signed_in()
    read = Reader(actor)
    ids = [report.id for report in reports]
    billed = {one.report_id: f"{one.sentence}: open the report to bill it again" for one in read.plain(before, ids)}
    billed |= {one.report_id: f"is on {invoiced.name(one)} already" for one in read.plain(from_reports.earlier, ids)}
    left_out = [LeftOut(report, reason) for report in reports if (reason := _reason(report, billed.get(report.id, "")))]
    _show_left_out(left_out)
    going = [report for report in reports if report.id not in {one.report.id for one in left_out}]
    if not going:
        st.info("None of these reports can be invoiced.", icon=":material/info:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.selectbox("Lines", list(LINES), format_func=LINES.__getitem__, key="invoicing_lines", width=290)
        rate = tax_rate("Tax rate, %", key="invoicing_tax", width=130)
    if rate is None:
        return
    _show_drafts(going, rate)
    st.caption("Drafts can be changed and discarded; nothing is sent, and nothing has been created yet.")
    drafts = formats.counted(len(going), "draft")
    if st.button(f"Create {drafts}", type="primary", icon=":material/note_add:", key="make"):
        with context.transaction() as session:
            chosen = [report.id for report in going]
            from_reports.draft_many(session, actor, chosen, by=by, tax_rate=rate, now=utc_now(), today=read.days)
        messages.say(f"{drafts} created. Review each, then send them together.")
        st.switch_page("invoices.py", query_params={"invoices_tab": "draft"})


def _reason(report: Report, billed: str) -> str:
    if billed:
        return billed
    if not report.current:
        return "was replaced by a newer version"
    return "" if report.total_minor else "comes to nothing"


def tax_rate(label: str, *, key: str, width: int) -> Decimal | None:
    """In percent, for all lines of the drafts; None, with the reason below the field, where it is none."""
    text = st.text_input(label, "0", key=key, max_chars=10, width=width)
    try:
        rate = number_input.number(text.strip().removesuffix("%") or "0", formats.locale())
    except ValueError as reason:
        st.error(f"The tax rate {md(formats.with_days(str(reason)))}", icon=":material/error:")
        return None
    if not 0 <= rate <= 100:
        st.error("The tax rate must lie between 0 and 100", icon=":material/error:")
        return None
    return rate


def _show_left_out(left_out: Sequence[LeftOut]) -> None:
    if not left_out:
        return
    st.markdown(f":orange[:material/block:] **Left out: {formats.count(len(left_out))}**")
    tables.show(
        left_out,
        [
            tables.computed("Report", lambda one: f"#{one.report.id}"),
            tables.computed("Customer", lambda one: one.report.customer_name),
            tables.computed("Period", lambda one: formats.period(one.report.period)),
            tables.computed("Why", lambda one: formats.sentence(one.reason), width="medium"),
        ],
        key="invoicing_left_out",
        alt="Reports that are not invoiced, and why",
        height="content" if len(left_out) <= 6 else 240,
    )


def _show_drafts(reports: Sequence[Report], rate: Decimal) -> None:
    sums: dict[str, int] = {}
    for report in reports:
        sums[report.currency] = sums.get(report.currency, 0) + _with_tax(rate, report).minor
    amounts = " · ".join(formats.money(minor, currency) for currency, minor in sorted(sums.items()))
    tax = f", {formats.decimal(rate)} % tax included" if rate else ""
    st.markdown(f"**{formats.counted(len(reports), 'draft')}**, in total **{md(amounts)}**{tax}:")
    tables.show(
        reports,
        [
            tables.computed("Report", lambda report: f"#{report.id}"),
            tables.text("Customer", "customer_name"),
            tables.computed("Period", lambda report: formats.period(report.period)),
            tables.money("Net", "total_minor"),
            tables.computed("Total", lambda report: _amount(_with_tax(rate, report)), right=True),
            tables.currency_of(),
        ],
        key="invoicing_drafts",
        alt="The drafts that would be made",
        height="content" if len(reports) <= 6 else 240,
    )


def _with_tax(rate: Decimal, report: Report) -> Money:
    """As on the invoice: all lines have one rate, so that their tax is rounded once."""
    return report.total + Money.rounded(report.total.amount * rate / 100, report.currency)


def _amount(money: Money) -> str:
    return formats.amount(money.minor, money.currency)
