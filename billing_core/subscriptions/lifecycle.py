"""The states of a subscription, and the moves between them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.errors import Conflict
from billing_core.identity import Actor
from billing_core.subscriptions.models import Subscription, SubscriptionState
from billing_core.subscriptions.telling import events, letters

INCOMPLETE, TRIALING, ACTIVE = SubscriptionState.INCOMPLETE, SubscriptionState.TRIALING, SubscriptionState.ACTIVE
PAST_DUE, UNPAID, CANCELED = SubscriptionState.PAST_DUE, SubscriptionState.UNPAID, SubscriptionState.CANCELED

# CANCELED is final, whatever arrives later.
MOVES: Final[dict[SubscriptionState, frozenset[SubscriptionState]]] = {
    INCOMPLETE: frozenset({ACTIVE}),
    TRIALING: frozenset({ACTIVE, CANCELED}),
    ACTIVE: frozenset({PAST_DUE, CANCELED}),
    PAST_DUE: frozenset({ACTIVE, UNPAID, CANCELED}),
    UNPAID: frozenset({ACTIVE, CANCELED}),
    CANCELED: frozenset(),
}


def move(session: Session, actor: Actor, subscription: Subscription, to: SubscriptionState, *, now: datetime) -> None:
    """Move a locked subscription; Conflict where it cannot. Nothing happens where it is in that state already."""
    if subscription.state is to:
        return
    if to not in MOVES[subscription.state]:
        raise Conflict(
            f"The subscription {subscription.public_id} is {subscription.state.value}: it cannot be {to.value}"
        )
    before, subscription.state = subscription.state, to
    if to is CANCELED:
        subscription.canceled_at, subscription.next_at = now, None
    session.flush()
    record(session, actor, subscription, "state", {"state": before.value}, {"state": to.value}, now=now)
    events.moved(session, actor, subscription, before, now=now)
    if to is CANCELED:
        letters.ended(session, actor, subscription, now=now)


def record(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    action: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """Write what was changed into the audit log, which is also the subscription's timeline, and tell of it."""
    subject = ("subscription", subscription.id)
    label = subscription.public_id
    audit.record(session, actor, f"subscription.{action}", subject, label=label, before=before, after=after, now=now)
    events.done(session, actor, subscription, action, now=now)
