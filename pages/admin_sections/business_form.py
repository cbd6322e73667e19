"""The fields of one legal entity of ours, with what they lead to shown as they are typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from billing_core.businesses import choices, number_format, service
from billing_core.businesses.number_format import LONGEST_FORMAT
from billing_core.businesses.service import LONGEST, Details
from billing_core.dates import country_of
from billing_core.errors import BillingError, Invalid
from billing_core.pdf_layout.paper_size import PaperSize, usual_in
from pages.ui import formats
from pages.ui.inputs import print_hint, terms_reading
from pages.ui.text import md

_PAPERS: Mapping[str, str] = {PaperSize.A4: "A4", PaperSize.LETTER: "US Letter"}
NEW = Details(name="", address="", tax_id="", currency="", time_zone="UTC")


@dataclass(frozen=True, slots=True)
class Drawn:
    """The form's keys end with ``form``, so that another form begins with what is saved."""

    form: int
    saved: Details
    today: date
    last: Mapping[str, int]

    def key(self, field: str) -> str:
        return f"business_{field}_{self.form}"


def draw(drawn: Drawn) -> tuple[Details, dict[str, str]]:
    """The fields; what they say now, and what is wrong with each."""
    saved = drawn.saved
    places: dict[str, Any] = {}
    with st.container(border=True):
        st.subheader("On documents", anchor=False)
        name = _line(drawn, "name", "Name", places)
        address = _lines(drawn, "address", "Address", places, height=110)
        with st.container(horizontal=True):
            tax_id = _line(
                drawn, "tax_id", "Tax number", places, help="Also several, such as a VAT number and a national one."
            )
            phone = _line(drawn, "phone", "Phone", places)
        register_number = _line(
            drawn,
            "register_number",
            "Company register entry",
            places,
            placeholder="SIREN and RCS, KvK, HRB and court, company number …",
            help="Printed below the tax number, as it stands here.",
        )
        email = _line(drawn, "email", "E-mail", places, help="Customers' replies go there. It is printed on documents.")
        bank_details = _lines(drawn, "bank_details", "Bank details", places, height=110, placeholder="IBAN …\nBIC …")
        footer = _lines(drawn, "invoice_footer", "Footer", places, height=90, placeholder="Directors, capital, …")

    with st.container(border=True):
        st.subheader("Money and time", anchor=False)
        currencies = choices.currency_names(drawn.today, also=saved.currency)
        codes = list(currencies)
        currency = st.selectbox(
            "Currency",
            codes,
            index=codes.index(saved.currency) if saved.currency in codes else None,
            format_func=currencies.__getitem__,
            key=drawn.key("currency"),
            help="What new customers start with. Customers, rates and reports that exist keep theirs.",
        )
        places["currency"] = st.empty()
        zones = choices.time_zones()
        time_zone = st.selectbox(
            "Time zone",
            zones,
            index=zones.index(saved.time_zone) if saved.time_zone in zones else None,
            key=drawn.key("time_zone"),
            help="It decides on which day something happened, and which day is today. "
            "Of several businesses the first one's counts.",
        )
        places["time_zone"] = st.empty()
        country = _country(drawn, time_zone or "")
        paper = _paper(drawn, time_zone or "")
        payment_terms = _line(drawn, "payment_terms", "Payment terms", places, placeholder=terms_reading.EXAMPLES)
        terms_reading.show(payment_terms, drawn.today, of_many=True)

        zero_tax_reason = _line(
            drawn,
            "zero_tax_reason",
            "Reason for 0 % tax",
            places,
            placeholder="Such as Reverse charge, or Small business",
            help="Printed on invoices that have lines with 0 % tax, unless the customer has a reason of its own.",
        )

    with st.container(border=True):
        st.subheader("Numbers", anchor=False)
        st.caption(
            r"\{year\} is the year of the document and starts a new series each year; \{seq\} counts, and "
            r"\{seq:03\} fills it up with zeros to three digits. Documents that have a number keep it."
        )
        invoice_format = _format(drawn, "invoice_format", "Invoices", places)
        credit_note_format = _format(drawn, "credit_note_format", "Credit notes", places)

    details = Details(
        name,
        address,
        tax_id,
        currency or "",
        time_zone or "",
        email,
        phone,
        bank_details,
        payment_terms,
        invoice_format,
        credit_note_format,
        footer,
        zero_tax_reason,
        paper,
        country,
        register_number,
    )
    reasons = _reasons(details)
    for field, reason in reasons.items():
        # Nobody has done anything wrong in a form that they have not touched.
        if getattr(details, field) != getattr(saved, field):
            places[field].markdown(f":red[:material/error: {md(formats.words(field))} {md(formats.with_days(reason))}]")
    return details, reasons


def _country(drawn: Drawn, time_zone: str) -> str:
    names = choices.countries()
    usual = f"That of the time zone: {names.get(country_of(time_zone), 'none')}"
    return _one_of(drawn, "country", names, usual, "By its law invoices are checked before they are sent.")


def _paper(drawn: Drawn, time_zone: str) -> str:
    usual = f"As usual in the country of the time zone: {_PAPERS[usual_in(time_zone)]}"
    return _one_of(drawn, "paper", _PAPERS, usual, "Of all PDFs. What was sent keeps its own.")


def _one_of(drawn: Drawn, field: str, names: Mapping[str, str], usual: str, means: str) -> str:
    """The code of one of these, or "" for what is usual."""
    offered = ("", *names)
    chosen: str = st.selectbox(
        formats.words(field),
        offered,
        offered.index(getattr(drawn.saved, field)),
        format_func=lambda one: names[one] if one else usual,
        key=drawn.key(field),
        help=means,
    )
    return chosen


def _reasons(details: Details) -> dict[str, str]:
    try:
        service.checked(details)
    except Invalid as error:
        return error.fields
    return {}


def _line(drawn: Drawn, field: str, label: str, places: dict[str, Any], **looks: Any) -> str:
    text = st.text_input(
        label, value=getattr(drawn.saved, field), max_chars=LONGEST[field], key=drawn.key(field), **looks
    )
    places[field] = st.empty()
    print_hint.show(text)
    return text or ""


def _lines(drawn: Drawn, field: str, label: str, places: dict[str, Any], **looks: Any) -> str:
    text = st.text_area(
        label, value=getattr(drawn.saved, field), max_chars=LONGEST[field], key=drawn.key(field), **looks
    )
    places[field] = st.empty()
    print_hint.show(text)
    return text or ""


def _format(drawn: Drawn, field: str, label: str, places: dict[str, Any]) -> str:
    text = st.text_input(
        label, value=getattr(drawn.saved, field), max_chars=LONGEST_FORMAT, key=drawn.key(field), width=320
    )
    places[field] = st.empty()
    try:
        series = number_format.series_of(number_format.check_format(text or ""), drawn.today)
    except BillingError:
        return text or ""
    place = drawn.last.get(number_format.key_of(number_format.counter_of(series)), 0) + 1
    st.caption(f"The next one of this year: **{md(number_format.written(series, place))}**")
    return text or ""
