"""Telling customers beforehand: that a trial ends, three days before (one day where it lasts three days at most), and
that a card expires, 30 and 7 days before its last day.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.online_payments.off_session import methods
from billing_core.outgoing_webhooks.models import EventType
from billing_core.plans.models import TrialEnd
from billing_core.subscriptions import queries
from billing_core.subscriptions.lifecycle import CANCELED, INCOMPLETE, TRIALING
from billing_core.subscriptions.models import Subscription
from billing_core.subscriptions.telling import events, letters

_BEFORE: Final = timedelta(days=3)
_BEFORE_A_SHORT_ONE: Final = timedelta(days=1)
# Days before the last day of a card.
EARLY: Final = 30
LATE: Final = 7


def trials_due(session: Session, *, now: datetime, limit: int) -> Sequence[int]:
    """The subscriptions of whose trials nobody was told, though they end soon; those that ended are passed over."""
    statement = select(Subscription.id, Subscription.trial_ends_at, Subscription.created_at).where(
        Subscription.trial_ends_at > now,
        Subscription.trial_ends_at <= now + _BEFORE,
        Subscription.trial_reminded_at.is_(None),
        Subscription.state == TRIALING,
    )
    soonest_first = session.execute(statement.order_by(Subscription.trial_ends_at, Subscription.id))
    # Not limited before: short trials that are told of later would keep the others waiting.
    due = (row.id for row in soonest_first if _told_at(row.trial_ends_at, row.created_at) <= now)
    return list(islice(due, limit))


def remind_of_trial(session: Session, actor: Actor, subscription_id: int, *, now: datetime) -> bool:
    """Tell the customer once, unless it is cancelled with the trial's end already; False where that was done."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    subscription = queries.for_change(session, actor, subscription_id)
    if subscription.trial_reminded_at is not None or subscription.state is not TRIALING:
        return False
    subscription.trial_reminded_at = now
    session.flush()
    events.tell(session, actor, subscription, EventType.SUBSCRIPTION_TRIAL_WILL_END, now=now)
    if not subscription.cancel_at_period_end:
        goes_on = queries.terms(session, subscription).offer.trial_end is TrialEnd.INVOICE
        letters.trial_ending(session, actor, subscription, goes_on=goes_on, now=now)
    return True


def cards_due(session: Session, *, today: date, limit: int) -> Sequence[int]:
    """The cards that expire within so many days, to which somebody is charged, and of which they were not told."""
    early = and_(
        PaymentMethodOnFile.expires_on <= today + timedelta(days=EARLY), PaymentMethodOnFile.expiry_told.is_(None)
    )
    late = and_(
        PaymentMethodOnFile.expires_on <= today + timedelta(days=LATE), PaymentMethodOnFile.expiry_told == EARLY
    )
    statement = select(PaymentMethodOnFile.id).where(
        PaymentMethodOnFile.detached_at.is_(None),
        PaymentMethodOnFile.expires_on.between(today, today + timedelta(days=EARLY)),
        or_(early, late),
        _charged().where(Subscription.payment_method_id == PaymentMethodOnFile.id).exists(),
    )
    return session.scalars(statement.order_by(PaymentMethodOnFile.expires_on).limit(limit)).all()


def remind_of_card(session: Session, actor: Actor, method_id: int, *, today: date, now: datetime) -> bool:
    """Tell its customer; False where that was done."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    method = methods.for_change(session, actor, method_id)
    days = LATE if method.expires_on <= today + timedelta(days=LATE) else EARLY
    charged = session.scalars(_charged().where(Subscription.payment_method_id == method_id).with_for_update()).all()
    if method.detached_at is not None or not charged or days >= (method.expiry_told or EARLY + 1):
        return False
    method.expiry_told = days
    letters.card_expiring(session, actor, method, charged, days=days, now=now)
    return True


def _charged() -> Select[Subscription]:
    """Those that go on."""
    return select(Subscription).where(Subscription.state.not_in([INCOMPLETE, CANCELED])).order_by(Subscription.id)


def _told_at(ends_at: datetime, created_at: datetime) -> datetime:
    return ends_at - (_BEFORE_A_SHORT_ONE if ends_at - created_at <= _BEFORE else _BEFORE)
