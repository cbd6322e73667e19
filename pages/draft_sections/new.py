"""The beginning of an invoice: for whom, or from which report."""

from decimal import Decimal

import streamlit as st

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.invoices import from_reports
from billing_core.invoices.billed_orders import keeping as billed_orders
from billing_core.invoices.content import content as contents
from billing_core.invoices.content.content import Content
from billing_core.invoices.from_reports import Grouping
from billing_core.reports import queries as reports
from billing_core.text import LONGEST_REASON
from pages.invoice_document_sections import drafts
from pages.report_sections.invoicing import LINES, tax_rate
from pages.ui import address, context, formats, opened
from pages.ui.inputs import customer_names
from pages.ui.reads import Reader
from pages.ui.text import md

_CUSTOMER, _BUSINESS = "new_invoice_customer", "new_invoice_business"


def choose_customer(read: Reader) -> None:
    """Whom the invoice is for; everything else follows from that and can be changed."""
    st.title("New invoice", anchor=False)
    with st.container(border=True, width=640):
        names = customer_names.offered(read, key=_CUSTOMER, active_only=True)
        if not names:
            st.info("There are no customers yet, or none matches the search: import them.", icon=":material/info:")
            if st.button("Import customers", icon=":material/upload_file:", key="import_customers"):
                opened.go_to("imports.py")
            return
        customer = st.selectbox(
            "Customer",
            list(names),
            index=None,
            format_func=lambda one: names.get(one, str(one)),
            key=_CUSTOMER,
            placeholder="Choose whom to bill",
        )
        ours = {one.id: one.name for one in read.plain(businesses.every, active_only=True)}
        business = next(iter(ours), None)
        if len(ours) > 1:
            business = st.selectbox("From", list(ours), format_func=ours.__getitem__, key=_BUSINESS)
        st.caption("Name, address, e-mail, terms, currency and language come from the customer; you can change them.")
        if st.button("Create the invoice", type="primary", icon=":material/edit:", disabled=customer is None):
            query = {"customer": str(customer)} | ({"business": str(business)} if len(ours) > 1 else {})
            st.query_params.from_dict(query)
            st.rerun()


def blank(read: Reader, customer: str, business: str) -> Content:
    """What a new invoice for this customer begins with; a wrong address ends the script with a message."""
    customer_id, business_id = opened.parsed(customer), opened.parsed(business)
    if not customer_id:
        address.missing("customer", "customer")
    if business and business_id is None:
        address.missing("business", "business")
    return read(contents.blank, customer_id, today=read.days, business_id=business_id)


def from_report(read: Reader, actor: Actor, report_id: str) -> None:
    """Turn a report into a draft; says where it was invoiced before."""
    report = read(reports.one, report_id)
    st.title("Invoice a report", anchor=False)
    st.markdown(
        f"**{md(report.customer_name)}**, {md(formats.period(report.period))}: "
        f"**{md(formats.money(report.total_minor, report.currency))}** for "
        f"{formats.counted(report.order_count, 'order')} (report #{report.id})"
    )
    earlier = read.plain(from_reports.earlier, [report.id])
    for one in earlier:
        _billed_before(one.invoice_id, f"Version {one.billed_version} of this report is on {md(one.invoice)} already.")
    named = {one.invoice_id for one in earlier}
    others = [one for one in read.plain(billed_orders.before, [report.id]) if one.invoice_id not in named]
    for other in others:
        _billed_before(other.invoice_id, f"{md(other.sentence)}.")
    billed = bool(earlier or others)
    if report.question_count:
        st.warning(
            f"The report has {formats.counted(report.question_count, 'question')}: orders that were not billed in "
            "full. Settle them first, or they are not on the invoice.",
            icon=":material/help:",
        )
    with st.container(border=True, width=640):
        by = st.radio("Lines", list(LINES), format_func=LINES.__getitem__, key="report_lines")
        rate = tax_rate("Tax rate of all lines, %", key="report_tax", width=200)
        reason = ""
        if billed:
            reason = st.text_input(
                "Why is it billed again?",
                key="report_again",
                max_chars=LONGEST_REASON,
                help="An order's service is billed once. The reason is kept with the invoice and in the audit log.",
            )
        if (
            st.button(
                "Create the draft",
                type="primary",
                icon=":material/note_add:",
                key="create_from_report",
                disabled=rate is None or (billed and not reason.strip()),
            )
            and rate is not None
        ):
            _create(read, actor, report.id, by, rate, reason)


def _billed_before(invoice_id: int, sentence: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(sentence, icon=":material/content_copy:")
        if st.button("Open it", key=f"billed_before_{invoice_id}", icon=":material/open_in_new:"):
            st.query_params.from_dict({"invoice": str(invoice_id)})
            st.rerun()


def _create(read: Reader, actor: Actor, report_id: int, by: Grouping, rate: Decimal, again_reason: str) -> None:
    try:
        with runtime.sessions().begin() as session:
            invoice_id = from_reports.draft_from_report(
                session,
                actor,
                report_id,
                by=by,
                tax_rate=rate,
                again_reason=again_reason,
                now=utc_now(),
                today=read.days,
            ).id
    except BillingError as error:
        context.refused(error)
        return
    drafts.open_draft(invoice_id, "The draft was created from the report")
