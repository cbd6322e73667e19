"""Orders of a file that name no customer: whose they are."""

import streamlit as st

from billing_core.identity import Actor
from billing_core.imports import Kind, inbox
from billing_core.imports.layouts import without_customer
from billing_core.imports.mapping import FromColumns
from billing_core.imports.received import Received
from pages.ui import formats
from pages.ui.context import attempt
from pages.ui.text import md


def draw(actor: Actor, received: Received) -> None:
    """Nothing is drawn where all orders name one, as far as is known."""
    if received.kind is not Kind.ORDERS or not isinstance(received.mapping.get("customer_ref"), FromColumns):
        return
    owner = without_customer.owner(received.mapping)
    groups = received.outcome.groups if received.outcome else []
    lacking = any(group.field == "customer_ref" and group.reason == "is empty" for group in groups)
    if not owner and not lacking:
        return
    with st.form(f"import_{received.token}_owner_form", border=False):
        ref = st.text_input(
            "Orders without a customer belong to",
            value=owner,
            placeholder="customer_ref of a customer",
            key=f"import_{received.token}_owner",
            disabled=received.busy,
            width=320,
            help="Such as one for all sales at the till. It is remembered with the columns of the file. Without it, "
            "such orders are rejected.",
        ).strip()
        said = st.form_submit_button("Use this customer", icon=":material/check:", disabled=received.busy)
    _told(received)
    if said and ref != owner:
        with attempt(f"{received.file_name}: check it again with the orders without a customer") as session:
            inbox.choose_owner(session, actor, received.token, ref)


def _told(received: Received) -> None:
    for word in received.outcome.read if received.outcome else ():
        if word.field == "customer_ref" and not word.word:
            verb = "order without a customer belongs" if word.rows == 1 else "orders without a customer belong"
            st.info(f"{formats.count(word.rows)} {verb} to {md(word.ours)}", icon=":material/person:")
