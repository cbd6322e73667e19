"""Which plans a customer has subscribed to."""

import streamlit as st

from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from billing_core.subscriptions.overview import search
from billing_core.subscriptions.overview.search import ListedSubscription, SubscriptionFilter
from pages.subscription_sections.listing import columns
from pages.ui import tables
from pages.ui.reads import Reader

_PAGE_KEY = "customer_subscriptions_page"


def draw(read: Reader, actor: Actor, customer: Customer) -> None:
    if actor.may(Permission.SUBSCRIPTION_WRITE) and st.button(
        "New subscription", icon=":material/add:", key="subscribe_this_customer"
    ):
        st.switch_page("subscriptions.py", query_params={"subscriber": str(customer.id)})
    wanted = SubscriptionFilter(customer_id=customer.id)
    total = read(search.count, wanted)
    if total == 0:
        st.info("This customer has no subscription yet.", icon=":material/event_repeat:")
        return
    skipped = tables.pager(total, key=_PAGE_KEY, noun="subscription", of=customer.id)
    tables.show(
        read(search.page, wanted, limit=tables.PAGE_SIZE, offset=skipped),
        columns(read.company.time_zone, _open, with_customer=False),
        key=f"customer_subscriptions_{skipped}",
        alt="Subscriptions of this customer",
    )


def _open(row: ListedSubscription) -> None:
    st.switch_page("subscriptions.py", query_params={"subscription": str(row.id)})
