"""In which language a customer is written to, and how its numbers and dates are written; shown as it is chosen."""

from datetime import date
from decimal import Decimal

import streamlit as st

from billing_core.customers.models import Customer
from billing_core.languages.available import english_name, languages, nearest, own_name, regional, regions
from billing_core.languages.formats import writing
from pages.ui import formats
from pages.ui.text import md

_SAMPLE_MINOR, _SAMPLE_PERCENT, _SAMPLE_DAY = 123_456_750, Decimal("7.5"), date(2026, 3, 2)


def choose(customer: Customer, *, form: str) -> tuple[str, str]:
    """The language and the country whose formats its documents have; empty for the customer's own."""
    left, right = st.columns(2)
    with left:
        language = st.selectbox(
            "Language",
            languages(),
            languages().index(nearest(customer.language)),
            format_func=own_name,
            key=f"{form}_language",
            help="Of the documents and mails to this customer",
        )
    choices = ("", *regions(language))
    with right:
        region = st.selectbox(
            "Numbers and dates",
            choices,
            choices.index(customer.format_region) if customer.format_region in choices else 0,
            format_func=lambda code: f"As in {formats.country(code)}" if code else "As in the customer's country",
            # Each language is written in other countries.
            key=f"{form}_format_region_{language}",
            help="How documents and mails write them; what was sent or drafted stays as it is",
        )
    st.caption(_sample(regional(language, region or customer.country), customer.currency))
    if customer.country and not region and customer.country not in choices:
        known = f"It is not known how {english_name(language)} is written in {formats.country(customer.country)}"
        st.caption(f"{md(known)}: as in general.")
    return language, region


def _sample(locale: str, currency: str) -> str:
    """What documents would look like."""
    words = writing(locale)
    written = (
        words.money(_SAMPLE_MINOR, currency),
        words.percent(_SAMPLE_PERCENT),
        words.day(_SAMPLE_DAY),
        words.long_day(_SAMPLE_DAY),
    )
    return md(f"For example: {' · '.join(written)}")
