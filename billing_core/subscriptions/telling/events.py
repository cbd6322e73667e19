"""Events of subscriptions, sent to webhook endpoints as the API shows them by then."""

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from billing_core.identity import Actor
from billing_core.outgoing_webhooks.models import EventType
from billing_core.outgoing_webhooks.publishing import Announcement, announce
from billing_core.subscriptions.models import Subscription, SubscriptionState

SUBSCRIPTION: Final = "subscription"
# What is done inside changes nothing that the API shows.
_INTERNAL: Final = frozenset(
    {"state", "hold", "release", "decline", "ask_change", "withdraw_change", "cancel", "mail_links", "ask_for_card"}
)
_BY_STATE: Final = {
    SubscriptionState.PAST_DUE: EventType.SUBSCRIPTION_PAST_DUE,
    SubscriptionState.UNPAID: EventType.SUBSCRIPTION_UNPAID,
    SubscriptionState.CANCELED: EventType.SUBSCRIPTION_CANCELED,
}


def tell(session: Session, actor: Actor, subscription: Subscription, event: EventType, *, now: datetime) -> None:
    """Send this event."""
    announce(session, actor, [Announcement(event, (SUBSCRIPTION, subscription.id), subscription.customer_id)], now=now)


def moved(
    session: Session, actor: Actor, subscription: Subscription, before: SubscriptionState, *, now: datetime
) -> None:
    """Its state became another one. One whose first charge was under way is new to everybody else."""
    if before is SubscriptionState.INCOMPLETE:
        event = EventType.SUBSCRIPTION_CREATED
    else:
        event = _BY_STATE.get(subscription.state, EventType.SUBSCRIPTION_UPDATED)
    tell(session, actor, subscription, event, now=now)


def done(session: Session, actor: Actor, subscription: Subscription, action: str, *, now: datetime) -> None:
    """Something was done with it, as the audit log names it."""
    if action in _INTERNAL or subscription.state is SubscriptionState.INCOMPLETE:
        return
    event = EventType.SUBSCRIPTION_CREATED if action == "create" else EventType.SUBSCRIPTION_UPDATED
    tell(session, actor, subscription, event, now=now)
