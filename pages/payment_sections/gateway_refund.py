"""Giving a payment back the way it came: through the payment service, in full or in part."""

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import refunding
from billing_core.online_payments.refunding import Refundable
from billing_core.text import LONGEST_REASON
from pages.ui import collection_mode, context, formats
from pages.ui.context import actor as signed_in
from pages.ui.inputs.amount_field import amount_field
from pages.ui.text import md


@st.dialog("Refund", icon=":material/currency_exchange:")
def dialog(payment_id: int) -> None:
    form(signed_in(), payment_id)


def form(actor: Actor, payment_id: int) -> None:
    """How much, why, and the button that has it paid back."""
    try:
        with runtime.sessions()() as session:
            can = refunding.refundable(session, actor, payment_id)
    except BillingError as error:
        context.refused(error)
        return
    if can.problem:
        st.info(md(formats.with_days(can.problem)), icon=":material/info:")
        return
    collection_mode.mark()
    amount = _amount(can, payment_id)
    reason = st.text_input("Reason", key=f"gateway_refund_reason_{payment_id}", max_chars=LONGEST_REASON, required=True)
    st.caption(
        "It goes back to the card or account that it came from, and is recorded here with a credit note where it paid "
        "an invoice. **This cannot be undone.**"
        + (" In the sandbox no money moves." if collection_mode.mode() is Mode.SANDBOX else "")
    )
    if st.button(
        "Pay back",
        type="primary",
        icon=":material/currency_exchange:",
        key="do_gateway_refund",
        disabled=amount is None,
    ):
        shown = formats.money(amount or 0, can.left.currency)
        with collection_mode.asking(f"{shown} goes back to the customer") as sessions:
            refunding.refund(
                sessions,
                actor,
                collection_mode.gateway(),
                payment_id,
                amount_minor=amount or 0,
                reason=reason,
                now=utc_now(),
            )


def _amount(can: Refundable, payment_id: int) -> int | None:
    """What is to go back; what was asked for and never answered comes first."""
    if can.unanswered is not None:
        unanswered = can.unanswered
        st.warning(
            f"A refund of {md(formats.money(unanswered.minor, unanswered.currency))} was requested, and the payment "
            "service has not answered. Ask again: it is paid back once, however often it is asked for.",
            icon=":material/hourglass_empty:",
        )
        return unanswered.minor
    st.markdown(f"**{md(formats.money(can.left.minor, can.left.currency))}** can be refunded.")
    key = f"gateway_refund_amount_{payment_id}_{can.left.minor}"
    return amount_field("Amount", can.left.minor, can.left.currency, key=key)
