"""Online payments: which gateway collects, whether it answers, what it tells us, and how each business collects."""

from collections.abc import Callable

import streamlit as st

from billing_core.businesses import queries, service
from billing_core.businesses.models import Business
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Permission
from billing_core.invoices.payment_links import CollectionWay, Mode
from billing_core.online_payments.gateway import Connection
from billing_core.online_payments.webhooks import events
from billing_core.settings import Settings, settings
from pages.payment_link_sections.wording import WAYS
from pages.ui import collection_mode, context, formats, messages
from pages.ui.reads import Reader
from pages.ui.text import md

CAPTIONS = {
    CollectionWay.PAYMENT_LINK: "A Stripe page that lists the invoice's lines. Stripe issues its own receipt.",
    CollectionWay.HOSTED_INVOICE: "An invoice at Stripe alongside ours, with its Stripe id from the start and a page "
    "where it is paid.",
}
_CONNECTION = "collecting_connection"

actor = context.require(Permission.BUSINESS_WRITE)
read = Reader(actor)
mode = collection_mode.mode()


def mode_card(known: Settings) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader("Mode", anchor=False, width="content")
            st.badge(collection_mode.NAMES[mode], color=collection_mode.COLORS[mode])
        st.markdown(collection_mode.MEANS[mode])
        if mode is Mode.SANDBOX:
            st.caption(
                "To collect with Stripe, set these variables in the environment and restart the product. A key "
                "that begins with sk\\_test\\_ or rk\\_test\\_ turns on the test mode, one with sk\\_live\\_ or "
                "rk\\_live\\_ the live mode."
            )
        is_set = {
            "STRIPE_SECRET_KEY": known.stripe_secret_key is not None,
            "STRIPE_WEBHOOK_SECRET": known.stripe_webhook_secret is not None,
        }
        for name, given in is_set.items():
            st.markdown(f"`{name}` :{'green' if given else 'gray'}-badge[{'set' if given else 'not set'}]")
        st.caption("What they hold is shown nowhere in the product and kept in no database.")


def connection_card() -> None:
    with st.container(border=True):
        st.subheader("Connection", anchor=False)
        if st.button("Check the connection", icon=":material/network_check:", key="check_connection"):
            st.session_state.pop(_CONNECTION, None)
            try:
                with st.spinner("Asking the payment service", show_time=True):
                    st.session_state[_CONNECTION] = collection_mode.gateway().check()
            except BillingError as error:
                context.refused(error)
        connection: Connection | None = st.session_state.get(_CONNECTION)
        if connection is None:
            st.caption("Asks the payment service who we are and whether we can collect. It changes nothing.")
            return
        for problem in connection.problems:
            st.error(md(formats.with_days(problem)), icon=":material/error:")
        if not connection.problems:
            st.success("It responds, and we can collect.", icon=":material/check:")
        facts = dict.fromkeys((collection_mode.NAMES[connection.mode], connection.name, connection.account))
        st.caption(md(" · ".join(fact for fact in facts if fact)))


def webhook_card(known: Settings) -> None:
    with st.container(border=True):
        st.subheader("Events from Stripe", anchor=False)
        if mode is Mode.SANDBOX:
            st.caption("The sandbox sends its events here by itself. Stripe would need this address and these events:")
        else:
            st.caption("Add this address at Stripe under Developers, Webhooks, with these events:")
        st.code(f"{known.address}/webhooks/stripe", language=None, wrap_lines=True)
        with st.expander(f"Events ({len(events.HANDLED)})"):
            st.code("\n".join(sorted(events.HANDLED)), language=None)
        if mode is not Mode.SANDBOX and not known.served_over_https:
            st.warning(
                "Stripe reaches only public https addresses. Set `BILLING_PUBLIC_URL` to the one that people use.",
                icon=":material/public_off:",
            )
        st.page_link("admin/incoming_webhooks.py", label="Received events", icon=":material/move_to_inbox:")


def chosen(business: Business) -> Callable[[], None]:
    key = f"collects_by_{business.id}"

    def save() -> None:
        way, who = st.session_state[key], context.actor()
        with context.transaction() as session:
            service.collect_by(session, who, business.id, way, now=utc_now())
        messages.say(f"{business.name}: {WAYS[CollectionWay(way)].lower()} from the next link on")

    return save


def ways_card() -> None:
    with st.container(border=True):
        st.subheader("Collection method", anchor=False)
        st.caption("Applies to new links; those already created stay as they are. The sandbox supports both.")
        with context.reading() as session:
            businesses = [business for business in queries.every(session) if business.active]
        for business in businesses:
            st.radio(
                md(business.name),
                [way.value for way in CollectionWay],
                index=[way.value for way in CollectionWay].index(business.collects_by),
                format_func=lambda way: WAYS[CollectionWay(way)],
                captions=[CAPTIONS[way] for way in CollectionWay],
                key=f"collects_by_{business.id}",
                on_change=chosen(business),
            )


st.title("Online payments", anchor=False)
st.caption("Who collects for us, and how.")
left, right = st.columns([3, 2], gap="medium")
with left:
    mode_card(settings())
    ways_card()
with right:
    connection_card()
    webhook_card(settings())
