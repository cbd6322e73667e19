"""Pausing and resuming.

A pause lets periods begin without billing them; what was billed before is owed, and collected, as ever. Once it is
resumed the next period is billed as usual: the rest of one that began while it was paused stays free.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.subscriptions import lifecycle, queries
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription


def pause(session: Session, actor: Actor, public_id: str, *, now: datetime) -> None:
    """Bill no period that begins from now on."""
    subscription = _locked(session, actor, public_id)
    if subscription.paused_at is not None:
        raise Conflict(f"The subscription {public_id} is paused already")
    subscription.paused_at = now
    lifecycle.record(session, actor, subscription, "pause", None, {"paused_at": f"{now}"}, now=now)


def resume(session: Session, actor: Actor, public_id: str, *, now: datetime) -> None:
    """Go on: bill the periods that begin from now on, and do not cancel at the end of the present one."""
    subscription = _locked(session, actor, public_id)
    before = {"paused_at": f"{subscription.paused_at}", "cancel_at_period_end": subscription.cancel_at_period_end}
    if subscription.paused_at is None and not subscription.cancel_at_period_end:
        raise Conflict(f"The subscription {public_id} is neither paused nor about to end")
    subscription.paused_at, subscription.cancel_at_period_end, subscription.cancel_reason = None, False, ""
    lifecycle.record(
        session, actor, subscription, "resume", before, {"paused_at": None, "cancel_at_period_end": False}, now=now
    )


def _locked(session: Session, actor: Actor, public_id: str) -> Subscription:
    actor.require(Permission.SUBSCRIPTION_WRITE)
    found = queries.by_public_id(session, actor, public_id)
    subscription = queries.for_change(session, actor, found.id)
    if subscription.state is CANCELED:
        raise Conflict(f"The subscription {public_id} is canceled")
    return subscription
