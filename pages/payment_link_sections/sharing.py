"""Handing a payment link to the customer: the address to copy, a QR code, and the mail with the invoice."""

from functools import lru_cache
from io import BytesIO

import segno
import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links.queries import LinkRow
from billing_core.settings import settings
from pages.invoice_document_sections import sending
from pages.ui import formats


def address(link: LinkRow) -> str:
    """Where the customer pays: shown, with a button that copies it."""
    shown = links.address_of(link.token, settings().address)
    st.code(shown, language=None, wrap_lines=True)
    return shown


def buttons(actor: Actor, link: LinkRow, shown: str) -> None:
    """Everything else that brings it to the customer, for a row of buttons."""
    with st.popover("QR code", icon=":material/qr_code_2:"):
        st.image(_qr(shown), width=240, output_format="PNG", alt="QR code of the payment link")
        st.caption(f"{formats.money(link.amount_minor, link.currency)}, to be paid with a phone.")
    if actor.may(Permission.INVOICE_SEND) and st.button(
        "Send by e-mail", icon=":material/send:", key=f"send_link_{link.id}"
    ):
        sending.dialog(link.invoice_id)
    st.link_button("Open it", shown, icon=":material/open_in_new:", help="As the customer sees it")


@lru_cache(maxsize=128)
def _qr(address: str) -> bytes:
    picture = BytesIO()
    segno.make(address, error="m", micro=False).save(picture, kind="png", scale=8, border=4)
    return picture.getvalue()
