"""What a subscription's card could not be charged for, and one click that asks the customer to pay it."""

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.jobs import outbox_delivery
from billing_core.subscriptions.models import SubscriptionState
from billing_core.subscriptions.overview.history import Shown
from billing_core.subscriptions.upkeep import asking
from pages.ui import collection_mode, context, formats, messages
from pages.ui.reads import Reader


def draw(read: Reader, actor: Actor, shown: Shown) -> None:
    """Nothing where every charge went through."""
    past_due = shown.row.state in (SubscriptionState.PAST_DUE, SubscriptionState.UNPAID)
    if not past_due or not actor.may(Permission.INVOICE_READ):
        return
    failed = read(asking.failed, shown.row.id)
    if not failed:
        return
    follows = min((one.at for one in failed if one.at is not None), default=None)
    when = f"next on {formats.instant(follows, read.company.time_zone)}" if follows else "no other attempt follows"
    st.warning(
        f"{formats.counted(len(failed), 'invoice')} could not be charged to the card: {when}.",
        icon=":material/credit_card_off:",
    )
    may_mail = actor.may(Permission.LINK_WRITE) and actor.may(Permission.INVOICE_SEND)
    if may_mail and st.button("Mail a link", icon=":material/forward_to_inbox:", key="mail_subscription_links"):
        _mail(actor, shown)


def _mail(actor: Actor, shown: Shown) -> None:
    try:
        sent = asking.mail_links(runtime.sessions(), actor, collection_mode.gateway(), shown.row.id, now=utc_now())
    except BillingError as error:
        context.refused(error)
        return
    outbox_delivery.nudge()
    messages.say(
        f"{formats.counted(sent, 'invoice')} mailed with a link to pay by"
        if sent
        else "Nothing was mailed: there is no address, or a mail about it waits already"
    )
    st.rerun()
