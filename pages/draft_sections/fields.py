"""The fields of a draft, laid out as on the PDF, each with what is wrong with it below."""

from collections.abc import Mapping, Sequence

import streamlit as st

from billing_core.businesses import choices
from billing_core.businesses import queries as businesses
from billing_core.businesses.models import Business
from billing_core.dates import EARLIEST_DAY, LATEST_DAY
from billing_core.invoices.content.content import LONGEST, Content
from billing_core.languages.available import languages, own_name
from pages.draft_sections import draft_state
from pages.draft_sections.draft_state import OpenDraft
from pages.ui import formats
from pages.ui.inputs import print_hint, terms_reading
from pages.ui.reads import Reader
from pages.ui.text import md

Reasons = Mapping[str, str]


def draw(read: Reader, draft: OpenDraft, content: Content, reasons: Reasons, number: str | None) -> None:
    """Everything above the lines: who asks whom, and under which number, dates and terms."""
    ours = {one.id: one for one in read.plain(businesses.every)}
    left, right = st.columns(2, gap="medium")
    with left:
        _issuer(ours[content.business_id])
        _customer(read, draft, reasons)
    with right:
        _facts(read, draft, reasons, number)


def notes(draft: OpenDraft, reasons: Reasons) -> None:
    st.text_area("Notes", key=draft.key("notes"), height=120, placeholder="Printed below the total")
    _printed(draft, reasons, "notes", "Notes")


def discount(draft: OpenDraft, currency: str, reasons: Reasons) -> None:
    """Off the whole invoice, as a share or as an amount."""
    with st.container(horizontal=True):
        st.text_input("Discount, %", key=draft.key("discount_percent"))
        st.text_input(f"or discount, {currency}", key=draft.key("discount_minor"))
    problem(reasons, "discount_percent", "The discount")
    problem(reasons, "discount_minor", "The discount")


def zero_tax(draft: OpenDraft, content: Content, reasons: Reasons) -> None:
    """Why there are lines with 0 % tax, which the customer's tax office asks for."""
    st.text_input(
        "Reason for 0 % tax",
        key=draft.key("zero_tax_reason"),
        max_chars=LONGEST["zero_tax_reason"],
        placeholder="Such as Reverse charge, or Export",
        help="Printed below the totals. It begins with what the customer or the business has as its reason.",
    )
    _printed(draft, reasons, "zero_tax_reason", "The reason")
    if not content.zero_tax_reason and any(not line.tax_rate for line in content.lines):
        st.caption("Lines with 0 % tax have no reason yet: the invoice says 0 % without one.")


def problem(reasons: Reasons, name: str, label: str) -> None:
    """What is wrong with the field just drawn, if anything."""
    if name in reasons:
        st.markdown(f":red[:material/error: {md(label)} {md(formats.with_days(reasons[name]))}]")


def _printed(draft: OpenDraft, reasons: Reasons, name: str, label: str) -> None:
    """``problem``, and what the PDF cannot show of a text that stands on it."""
    problem(reasons, name, label)
    print_hint.show(st.session_state[draft.key(name)])


def _issuer(business: Business) -> None:
    with st.container(gap="xxsmall"):
        st.caption("From")
        st.markdown(f"**{md(business.name)}**")
        details: Sequence[str] = [line for line in business.address.splitlines() if line.strip()]
        if details:
            st.caption(" · ".join(md(line) for line in details))


def _customer(read: Reader, draft: OpenDraft, reasons: Reasons) -> None:
    st.text_input("Bill to", key=draft.key("customer_name"), max_chars=LONGEST["customer_name"])
    _printed(draft, reasons, "customer_name", "The name")
    st.text_area("Address", key=draft.key("customer_address"), height=100)
    _printed(draft, reasons, "customer_address", "The address")
    st.text_input(
        "E-mail",
        key=draft.key("customer_email"),
        placeholder="Where the invoice is sent to",
        help="One address, or several with commas. Programs know the first",
    )
    problem(reasons, "customer_email", "The e-mail address")
    problem(reasons, "further_emails", "The further e-mail addresses")
    with st.container(horizontal=True):
        st.text_input("CC", key=draft.key("cc_emails"), placeholder="Nobody")
        st.text_input("BCC", key=draft.key("bcc_emails"), placeholder="Nobody")
    problem(reasons, "cc_emails", "CC")
    problem(reasons, "bcc_emails", "BCC")
    with st.container(horizontal=True):
        st.text_input("Customer's tax number", key=draft.key("customer_tax_id"))
        st.selectbox(
            "Language",
            languages(),
            format_func=own_name,
            key=draft.key("language"),
            on_change=draft_state.reword_terms,
            args=(read.actor, draft),
        )
    _printed(draft, reasons, "customer_tax_id", "The tax number")
    problem(reasons, "language", "The language")


def _facts(read: Reader, draft: OpenDraft, reasons: Reasons, number: str | None) -> None:
    st.text_input(
        "Invoice number",
        number or "Drawn when it is sent",
        disabled=True,
        help="The next free number of the series. A number of your own can be given when it is sent.",
    )
    with st.container(horizontal=True):
        st.date_input(
            "Issue date",
            key=draft.key("issued_on"),
            min_value=EARLIEST_DAY,
            max_value=LATEST_DAY,
            on_change=draft_state.settle_due_date,
            args=(draft, "issued_on"),
            format=formats.day_form(),
        )
        st.date_input(
            "Due date", key=draft.key("due_on"), min_value=EARLIEST_DAY, max_value=LATEST_DAY, format=formats.day_form()
        )
    problem(reasons, "issued_on", "The issue date")
    problem(reasons, "due_on", "The due date")
    st.text_input(
        "Payment terms",
        key=draft.key("payment_terms"),
        on_change=draft_state.settle_due_date,
        args=(draft, "payment_terms"),
        placeholder=terms_reading.EXAMPLES,
        help="The due date follows the terms and the issue date; after that it can be changed.",
    )
    terms_reading.show(
        st.session_state[draft.key("payment_terms")] or "",
        st.session_state[draft.key("issued_on")] or read.day_of(draft.start.business_id),
        st.session_state[draft.key("due_on")],
    )
    _printed(draft, reasons, "payment_terms", "The terms")
    with st.container(horizontal=True):
        names = choices.currency_names(read.today, also=draft.start.currency)
        st.selectbox("Currency", list(names), format_func=names.__getitem__, key=draft.key("currency"))
        st.text_input("Reference", key=draft.key("reference"), placeholder="The customer's order number")
    st.toggle(
        "Prices include tax",
        key=draft.key("prices_include_tax"),
        help="Prices and discounts are with tax, and the total is exactly what the lines come to; the tax is taken out "
        "of it.",
    )
    problem(reasons, "currency", "The currency")
    _printed(draft, reasons, "reference", "The reference")
