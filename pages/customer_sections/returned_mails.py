"""Which of a customer's addresses mails came back from."""

import streamlit as st

from billing_core.bounces import queries
from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from pages.ui.inputs import bounced_addresses
from pages.ui.reads import Reader


def note(read: Reader, actor: Actor, customer: Customer) -> None:
    if not actor.may(Permission.OUTBOX_READ):
        return
    for row in read(queries.of_customer, customer.id):
        sentence = bounced_addresses.sentence(row, read.company.time_zone)
        st.warning(f"{sentence}. Change the address, or dismiss it.", icon=":material/unsubscribe:")
        bounced_addresses.button(row.address, f"dismiss_bounce_{row.id}")
