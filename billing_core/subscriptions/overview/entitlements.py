"""What a subscription entitles its customer to, for programs that let people in."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.metering.models import API_CALLS
from billing_core.plans import prices
from billing_core.plans.models import Plan, PlanVersion
from billing_core.subscriptions import queries
from billing_core.subscriptions.lifecycle import ACTIVE, PAST_DUE, TRIALING

# While charges are tried again the customer keeps what was agreed.
_ENTITLED: Final = (TRIALING, ACTIVE, PAST_DUE)


@dataclass(frozen=True, slots=True)
class Included:
    """So much of a meter, or of one of its buckets, costs nothing in each period; ``bucket`` is empty without one."""

    meter: str
    bucket: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Entitlements:
    """``active``: the customer is entitled to it now; ``until``: it is to end then, None where no end is known."""

    public_id: str
    active: bool
    plan_code: str
    version: int
    seats: int
    add_ons: dict[str, int]
    included: tuple[Included, ...]
    until: datetime | None


def of(session: Session, actor: Actor, public_id: str) -> Entitlements:
    """NotFound where there is no such subscription or this actor may not see it."""
    actor.require(Permission.SUBSCRIPTION_READ)
    subscription = queries.by_public_id(session, actor, public_id)
    version = session.get_one(PlanVersion, subscription.plan_version_id)
    included = [Included(API_CALLS, "", Decimal(version.included_calls))] if version.included_calls else []
    agreed = prices.of_version(session, version.id)
    included += [Included(at.meter, at.bucket, price.included) for at, price in agreed.items() if price.included]
    ends = subscription.next_at if subscription.cancel_at_period_end else subscription.canceled_at
    return Entitlements(
        public_id=subscription.public_id,
        active=subscription.state in _ENTITLED and subscription.paused_at is None,
        plan_code=session.get_one(Plan, version.plan_id).code,
        version=version.number,
        seats=subscription.seats,
        add_ons=subscription.add_ons,
        included=tuple(included),
        until=ends,
    )
