"""What our details still lack for invoices, by the law of our country and by usage."""

import streamlit as st

from billing_core.businesses import choices
from billing_core.businesses.models import Business
from billing_core.invoices import issuers
from billing_core.invoices.legal_content.laws import law_of
from billing_core.invoices.legal_content.missing import in_words, of_issuer
from pages.ui.inputs import lacking
from pages.ui.text import md


def draw(business: Business) -> None:
    """As it is saved."""
    lacks = of_issuer(issuers.of_business(business))
    with st.container(border=True):
        st.subheader("On invoices", anchor=False)
        if lacks:
            st.markdown(f":orange[:material/rule:] Still missing: {md(in_words(lacks))}.")
        if not business.bank_details.strip():
            st.markdown(f":orange[:material/account_balance:] {lacking.BANK_ACCOUNT}")
        if not lacks and business.bank_details.strip():
            st.markdown(":green[:material/check:] Everything that invoices usually need is here.")
        st.caption(f"{_checked_by(business)} Each invoice is checked again before it is sent. {lacking.NO_ADVICE}")


def _checked_by(business: Business) -> str:
    if law := law_of(business.seat).name:
        return f"Checked by {md(law)}."
    country = choices.countries().get(business.seat, "")
    return f"Checked by what is usual{f' in {md(country)}' if country else ''}."
