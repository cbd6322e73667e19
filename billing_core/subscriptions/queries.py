"""Reads of subscriptions, and the locks that every change takes: the customer's row, then the subscription's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import BindParameter, ColumnElement, Integer, Select, and_, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.plans import offers
from billing_core.plans.offers import Offer
from billing_core.subscriptions.models import (
    ChangeState,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
    SubscriptionState,
)
from billing_core.subscriptions.pricing import Terms

# What versions cost, by version and currency.
Offers = dict[tuple[int, str], Offer]

_OFFERS: Final = "offers of plans"
_HELD: Final = "who bills whom for which period"


def by_public_id(session: Session, actor: Actor, public_id: str) -> Subscription:
    """The subscription with this ``sub_…`` id; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.SUBSCRIPTION_READ)
    statement = select(Subscription).where(
        Subscription.public_id == public_id,
        Subscription.state != SubscriptionState.INCOMPLETE,
        visible_to(actor, Subscription.customer_id),
    )
    subscription = session.scalars(statement).one_or_none()
    if subscription is None:
        raise NotFound(f"There is no subscription {public_id}")
    return subscription


def for_change(session: Session, actor: Actor, subscription_id: int) -> Subscription:
    """The subscription and its customer, locked until the transaction ends; NotFound where it has gone."""
    owner = _OWNER if actor.customer_id is None else _OWNER.where(visible_to(actor))
    customer = session.scalars(owner, {"subscription_id": subscription_id}).one_or_none()
    found = None
    if customer is not None:
        # One whose first charge is declined may have gone while its customer was waited for.
        found = session.execute(_LOCKED, {"subscription_id": subscription_id}).one_or_none()
    if found is None:
        raise NotFound(f"There is no subscription {subscription_id}")
    # A session forgets what nobody holds: every step of a renewal would read these again.
    session.info[_HELD] = customer, *found
    return found[0]


def _owner() -> Select[Customer]:
    """The customer of a subscription, to be locked as by ``customers.queries.for_change``."""
    customer_id = select(Subscription.customer_id).where(Subscription.id == _SUBSCRIPTION_ID).scalar_subquery()
    locked = select(Customer).where(Customer.id == customer_id).with_for_update(key_share=True)
    return locked.execution_options(populate_existing=True)


def _locked() -> Select[Subscription, SubscriptionPeriod, Business]:
    """A subscription, to be locked after its customer, and what cannot change meanwhile: its period, who bills it."""
    present = and_(
        SubscriptionPeriod.subscription_id == Subscription.id, SubscriptionPeriod.number == Subscription.period_number
    )
    found = (
        select(Subscription, SubscriptionPeriod, Business)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Business, Business.id == Customer.business_id)
        .outerjoin(SubscriptionPeriod, present)
        .where(Subscription.id == _SUBSCRIPTION_ID)
    )
    return found.with_for_update(of=Subscription).execution_options(populate_existing=True)


# Put together once, which takes longer than carrying it out.
_SUBSCRIPTION_ID = bindparam("subscription_id", type_=Integer)
_OWNER, _LOCKED = _owner(), _locked()


def due(session: Session, *, now: datetime, limit: int, within: range | None = None) -> list[int]:
    """Those for which something is due by now, the longest due first; ``within``: of these ids alone. What a change
    costs is charged before.
    """
    statement = select(Subscription.id).where(*_is_due(now))
    if within is not None:
        statement = statement.where(Subscription.id >= within.start, Subscription.id < within.stop)
    return list(session.scalars(statement.order_by(Subscription.next_at, Subscription.id).limit(limit)))


def due_chunks(session: Session, *, now: datetime, size: int, limit: int) -> list[range]:
    """The ranges of ``size`` ids in which something is due by now, the oldest first."""
    place = Subscription.id // size
    statement = select(place).distinct().where(*_is_due(now))
    return [range(one * size, (one + 1) * size) for one in session.scalars(statement.order_by(place).limit(limit))]


def is_charging(session: Session, subscription_id: int) -> bool:
    """Whether what a change costs is being charged: until then nothing else happens to it."""
    return session.scalar(_IS_CHARGING, {"subscription_id": subscription_id}) is not None


def period(session: Session, subscription: Subscription, number: int | None = None) -> SubscriptionPeriod | None:
    """The period with this number, by default the present one; None where it has not begun."""
    asked = subscription.period_number if number is None else number
    return None if asked is None else session.get(SubscriptionPeriod, (subscription.id, asked))


def payment_method(session: Session, subscription: Subscription) -> int | None:
    """The card that can be charged: its payment method, unless it was taken off file meanwhile."""
    on_file = select(PaymentMethodOnFile.id).where(
        PaymentMethodOnFile.id == subscription.payment_method_id, PaymentMethodOnFile.detached_at.is_(None)
    )
    return session.scalar(on_file)


def terms(session: Session, subscription: Subscription) -> Terms:
    """What is agreed now."""
    return terms_of(
        session, subscription.plan_version_id, subscription.currency, subscription.seats, subscription.add_ons
    )


def terms_of(session: Session, plan_version_id: int, currency: str, seats: int, add_ons: Mapping[str, int]) -> Terms:
    """What a version costs never changes: each is read once in a session, or for all that ``share_offers``."""
    known: Offers = session.info.setdefault(_OFFERS, {})
    asked = plan_version_id, currency
    if asked not in known:
        known[asked] = offers.offer(session, plan_version_id, currency)
    return Terms(known[asked], seats, add_ons)


def share_offers(session: Session, known: Offers) -> None:
    """Let a session know what others have read of what versions cost, and add to it."""
    session.info[_OFFERS] = known


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """One whose first charge is under way has not begun."""
    begun = Subscription.state != SubscriptionState.INCOMPLETE
    return Subscription.next_at <= now, Subscription.held_at.is_(None), begun, ~_charging(Subscription.id).exists()


def _charging(subscription_id: InstrumentedAttribute[int] | BindParameter[int]) -> Select[int]:
    return select(SubscriptionChange.id).where(
        SubscriptionChange.subscription_id == subscription_id, SubscriptionChange.state == ChangeState.CHARGING
    )


_IS_CHARGING = _charging(_SUBSCRIPTION_ID)


def scheduled(session: Session, subscription_id: int, *, locked: bool = False) -> list[SubscriptionChange]:
    """The changes that begin with a later period, in the order in which they were asked for."""
    waiting = _SCHEDULED_LOCKED if locked else _SCHEDULED
    return list(session.scalars(waiting, {"subscription_id": subscription_id}))


_SCHEDULED = (
    select(SubscriptionChange)
    .where(SubscriptionChange.subscription_id == _SUBSCRIPTION_ID, SubscriptionChange.state == ChangeState.SCHEDULED)
    .order_by(SubscriptionChange.id)
)
# Those of a move are withdrawn together, without the locks of their subscriptions.
_SCHEDULED_LOCKED = _SCHEDULED.with_for_update().execution_options(populate_existing=True)


def change(session: Session, subscription: Subscription, change_id: int) -> SubscriptionChange:
    """A change of the subscription; NotFound where it has no such."""
    statement = select(SubscriptionChange).where(
        SubscriptionChange.id == change_id, SubscriptionChange.subscription_id == subscription.id
    )
    found = session.scalars(statement).one_or_none()
    if found is None:
        raise NotFound(f"There is no change {change_id} of the subscription {subscription.public_id}")
    return found
