"""Whether anything new is billed to a customer."""

import streamlit as st

from billing_core.customer_lifecycle import deactivating
from billing_core.customers import queries
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.formats import counted
from pages.ui.reads import Reader
from pages.ui.text import md


def button(actor: Actor, customer: Customer) -> None:
    """What may be done about it."""
    if not actor.may(Permission.CUSTOMER_WRITE):
        return
    if customer.active:
        if st.button("Deactivate", icon=":material/person_off:", key="deactivate_customer"):
            deactivate(customer.id)
    elif st.button("Reactivate", icon=":material/person_check:", key="reactivate_customer"):
        with attempt("This customer is billed again") as session:
            deactivating.reactivate(session, actor, customer.id, now=utc_now())


def note(customer: Customer) -> None:
    """That nothing new is billed to it."""
    if not customer.active and customer.merged_into_id is None:
        st.warning(
            "Deactivated: nothing new is billed to it. What is open stays payable.", icon=":material/person_off:"
        )


@st.dialog("Deactivate customer", icon=":material/person_off:")
def deactivate(customer_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    customer, stands = read(queries.one, customer_id), read(deactivating.standing, customer_id)
    st.markdown(
        f"No new invoices, reports, bill runs or subscriptions for **{md(customer.name)}**, until it is reactivated."
    )
    if stands.open_invoices:
        st.markdown(f"{counted(stands.open_invoices, 'open invoice')}: payable and reminded of as before.")
    if stands.drafts:
        st.markdown(f"{counted(stands.drafts, 'draft')}: kept, but not sent.")
    if stands.subscriptions:
        running = ", ".join(stands.subscriptions)
        st.warning(f"It is subscribed. Cancel {md(running)} first.", icon=":material/autorenew:")
    elif st.button("Deactivate", type="primary", icon=":material/person_off:", key="do_deactivate"):
        with attempt("Nothing new is billed to this customer") as session:
            deactivating.deactivate(session, actor, customer_id, now=utc_now())
