"""Choosing what a subscription is paid by: a card on file, a test card where no money moves, or a mailed link."""

from typing import Final

import streamlit as st

from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.off_session import methods
from billing_core.online_payments.stripe import limits
from pages.ui import collection_mode, formats
from pages.ui.reads import Reader
from pages.ui.text import md

# The documented cards of the sandbox and of Stripe's test mode, none of which moves money.
TEST_CARDS: Final = {
    "pm_card_visa": "Test card that pays",
    "pm_card_chargeCustomerFail": "Test card that is declined when charged",
    "pm_card_authenticationRequired": "Test card that asks the customer",
}
_LINK, _OTHER = "", "other"


def warning(to_pay_minor: int, currency: str) -> str:
    """Where nobody can pay such an amount by card or link: why, as a sentence that follows others."""
    why = limits.refusal(to_pay_minor, currency) if to_pay_minor else ""
    return f" :material/warning: **{md(formats.with_days(why))}**." if why else ""


def choose(read: Reader, customer_id: int, *, key: str, with_link: bool = True) -> str | None:
    """The gateway's id (``pm_…``) of what is charged; None: invoices are mailed with a link."""
    mode = collection_mode.mode()
    on_file = [one for one in read(methods.of_customer, customer_id) if one.mode is mode]
    names = {one.gateway_id: methods.card_of(one) for one in on_file}
    if mode is not Mode.LIVE:
        names |= {method: name for method, name in TEST_CARDS.items() if method not in names}
    names |= {_OTHER: "Another one that the payment service knows"}
    names |= {_LINK: "A link that is mailed with each invoice"} if with_link else {}
    chosen = st.selectbox(
        "Paid by",
        list(names),
        format_func=lambda one: names.get(one, one),
        key=f"{key}_paid_by_{customer_id}",
        help="No card number comes to us: the payment service keeps it, and names it by an id such as pm_1234567890. "
        "A customer is asked for a card on its own page, under “Payments”.",
    )
    if chosen == _OTHER:
        typed = st.text_input("Id of the payment method", key=f"{key}_method", max_chars=200, placeholder="pm_…")
        return typed.strip() or "pm_"
    return chosen or None
