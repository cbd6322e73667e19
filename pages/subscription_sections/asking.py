"""What a subscription's card could not be charged for, cards that expire, and one click that mails the customer."""

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.jobs import outbox_delivery
from billing_core.online_payments.off_session import requests
from billing_core.online_payments.off_session.methods import EXPIRING_WITHIN
from billing_core.subscriptions.models import SubscriptionState
from billing_core.subscriptions.overview.history import Shown
from billing_core.subscriptions.upkeep import asking
from pages.subscription_sections import wording
from pages.ui import collection_mode, context, formats, mail_words, messages
from pages.ui.context import actor as signed_in
from pages.ui.inputs import bounced_addresses
from pages.ui.reads import Reader
from pages.ui.text import md

_PAST_DUE = (SubscriptionState.PAST_DUE, SubscriptionState.UNPAID)
LINK, CARD = ":material/forward_to_inbox: Mail a link", ":material/add_card: Ask for a card"


def may_mail_links(actor: Actor) -> bool:
    return actor.may(Permission.LINK_WRITE) and actor.may(Permission.INVOICE_SEND)


def may_ask_for_card(actor: Actor) -> bool:
    return actor.may(Permission.PAYMENT_WRITE) and actor.may(Permission.INVOICE_SEND)


def draw(read: Reader, actor: Actor, shown: Shown) -> None:
    """Nothing where every charge went through, to a card that is good for a while."""
    if shown.row.state in _PAST_DUE and actor.may(Permission.INVOICE_READ):
        _failed(read, actor, shown)
    if shown.row.state is not SubscriptionState.CANCELED:
        _expiring(read, actor, shown)


def mail_link(subscription_id: int) -> None:
    """Mail what could not be charged, and say what came of it."""
    try:
        sent = asking.mail_links(
            runtime.sessions(), signed_in(), collection_mode.gateway(), subscription_id, now=utc_now()
        )
    except BillingError as error:
        context.refused(error)
        return
    outbox_delivery.nudge()
    what = f"The mail about {formats.counted(sent, 'invoice')} with the ways to pay"
    messages.say(
        mail_words.put_in(what, "the customer", recallable=True)
        if sent
        else "No mail was written: there is no address, or one about it waits already"
    )
    st.rerun()


def mail_card_address(subscription_id: int) -> None:
    """Mail the address where the customer enters a card."""
    done = mail_words.put_in("The address where a card can be entered", "the customer", recallable=True)
    with context.attempt(done) as session:
        asking.ask_for_card(session, signed_in(), subscription_id, now=utc_now())


@st.dialog("Ask for a card", icon=":material/add_card:")
def dialog(shown: Shown) -> None:
    st.markdown(
        f"**{md(shown.row.customer_name)}** is mailed an address where a card can be entered at the payment service, "
        f"good for {requests.VALID_FOR.days} days. The card is charged from then on, and at once for what an earlier "
        "one did not pay."
    )
    mail_words.warn_of_none()
    bounced_addresses.warn_of_customer(shown.row.customer_id)
    if st.button("Mail it", type="primary", icon=":material/forward_to_inbox:", key="do_ask_for_card"):
        mail_card_address(shown.row.id)


def _failed(read: Reader, actor: Actor, shown: Shown) -> None:
    failed = read(asking.failed, shown.row.id)
    if not failed:
        return
    follows = min((one.at for one in failed if one.at is not None), default=None)
    when = f"next on {formats.instant(follows, read.company.time_zone)}" if follows else "no other attempt follows"
    st.warning(
        f"{formats.counted(len(failed), 'invoice')} could not be charged to the card: {when}.",
        icon=":material/credit_card_off:",
    )
    if may_mail_links(actor) and st.button(
        "Mail a link",
        icon=":material/forward_to_inbox:",
        key="mail_subscription_links",
        help="The customer gets every way to pay: a link, and the address for another card",
    ):
        mail_link(shown.row.id)


def _expiring(read: Reader, actor: Actor, shown: Shown) -> None:
    last_day = shown.row.card_expires_on
    if last_day is None or last_day > read.today + EXPIRING_WITHIN:
        return
    card = md(wording.card(shown.row.card_brand, shown.row.card_last4))
    when = "expired" if last_day < read.today else "expires"
    st.warning(f"The card {card} {when} on {md(formats.day(last_day))}.", icon=":material/credit_card_clock:")
    if may_ask_for_card(actor) and st.button(
        "Ask for a card", icon=":material/add_card:", key="ask_for_subscription_card"
    ):
        mail_card_address(shown.row.id)
