"""Telling customers of a move, and that it does not come: one mail for each subscription, never twice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, bindparam, exists, select, update
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers
from billing_core.languages.formats import writing
from billing_core.mailing import letters, mails
from billing_core.mailing.letters import Wordings
from billing_core.mailing.models import MailKind
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message
from billing_core.plans.models import Plan, PlanVersion
from billing_core.plans.offers import has_usage_price
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.models import MovedSubscription, MoveMail, PlanMove, Subscription, SubscriptionState
from billing_core.subscriptions.moving import promised
from billing_core.subscriptions.moving.promised import Prices

_AFTERWARDS = {MoveMail.DUE: MoveMail.TOLD, MoveMail.RECALL_DUE: MoveMail.RECALLED}
# As the index has them.
_TO_MAIL: BindParameter[Any] = bindparam(
    "to_mail",
    list(_AFTERWARDS),
    expanding=True,
    literal_execute=True,
)
_KINDS = {MoveMail.DUE: MailKind.PLAN_MOVE, MoveMail.RECALL_DUE: MailKind.PLAN_MOVE_WITHDRAWN}


class _Told(NamedTuple):
    """What a letter is written from."""

    moved: MovedSubscription
    subscription: Subscription
    customer: Customer
    business: Business
    version: PlanVersion
    plan_name: str
    has_usage: bool


def tell(session: Session, actor: Actor, *, limit: int, now: datetime) -> int:
    """Put so many of the mails that are due into the outbox; how many there were."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    _recall_nothing_of_others(session)
    found = _due(session, limit)
    wordings = letters.wordings(session, [one.business.id for one in found])
    asked = promised.asked_besides(session, [one.subscription.id for one in found])
    messages = [
        _message(one, promised.prices(session, one.moved, one.subscription, one.version.id, asked), wordings)
        for one in found
        if not mails.recipients_of_customer(one.customer).reason
    ]
    about = [one.subscription.id for one in found]
    outbox.replace_kept(session, actor, "subscription", about, list(_KINDS.values()), now=now)
    outbox.put_many(session, actor, messages, now=now)
    for one in found:
        has_address = not mails.recipients_of_customer(one.customer).reason
        one.moved.mail = _AFTERWARDS[one.moved.mail] if has_address else MoveMail.NONE
    return len(found)


def _due(session: Session, limit: int) -> Sequence[_Told]:
    """Locked: whoever withdraws the move or changes the subscription meanwhile comes before or after. For those that
    end before, or go to another plan, no other terms begin: they wait, in case that is taken back.
    """
    statement = (
        select(
            MovedSubscription, Subscription, Customer, Business, PlanVersion, Plan.name, has_usage_price(PlanVersion)
        )
        .join(Subscription, Subscription.id == MovedSubscription.subscription_id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Business, Business.id == Subscription.business_id)
        .join(PlanMove, PlanMove.id == MovedSubscription.move_id)
        .join(PlanVersion, PlanVersion.id == PlanMove.version_id)
        .join(Plan, Plan.id == PlanMove.plan_id)
        .where(
            MovedSubscription.mail.in_(_TO_MAIL),
            Subscription.state != SubscriptionState.CANCELED,
            ~Subscription.cancel_at_period_end,
            ~promised.is_undecided(),
        )
        .order_by(MovedSubscription.move_id, MovedSubscription.subscription_id)
        .limit(limit)
        .with_for_update(of=(MovedSubscription, Subscription), skip_locked=True)
    )
    return [_Told(*row) for row in session.execute(statement)]


def _recall_nothing_of_others(session: Session) -> None:
    """Who was told of a move, and has ended or gone to another plan since, is not told that it does not come."""
    of_plan = select(PlanVersion.id).join(PlanMove, PlanMove.plan_id == PlanVersion.plan_id)
    goes_on = exists().where(
        Subscription.id == MovedSubscription.subscription_id,
        Subscription.state != SubscriptionState.CANCELED,
        Subscription.plan_version_id.in_(of_plan.where(PlanMove.id == MovedSubscription.move_id)),
    )
    session.execute(
        update(MovedSubscription)
        .where(MovedSubscription.mail.in_(_TO_MAIL), MovedSubscription.mail == MoveMail.RECALL_DUE, ~goes_on)
        .values(mail=MoveMail.TOLD)
        .execution_options(synchronize_session=False)
    )


def _message(told: _Told, prices: Prices, wordings: Wordings) -> Message:
    moved, customer, business = told.moved, told.customer, told.business
    kind = _KINDS[moved.mail]
    wording = wordings.of(business.id, kind, customer.locale)
    return mails.mail(
        kind,
        subject=("subscription", told.subscription.id),
        to=mails.recipients_of_customer(customer),
        customer_id=customer.id,
        letter=letters.letter(wording, _values(told, prices, kind), customer.locale),
        sender=issuers.of_business(business),
        attachments=[],
        name=f"mail:{kind.value}:{moved.move_id}:{told.subscription.public_id}",
    )


def _values(told: _Told, prices: Prices, kind: MailKind) -> dict[str, Any]:
    moved, one, version = told.moved, told.subscription, told.version
    words = writing(told.customer.locale)
    cycle = Cycle.of_days(one.anchor_day, version.interval, version.interval_count)
    values = {
        "customer_name": told.customer.name or told.customer.email,
        "business_name": told.business.name,
        "plan": told.plan_name,
        "starts_on": words.long_day(cycle.day(moved.period_number - one.anchor_number)),
        "old_price": words.money(prices.before_minor, one.currency),
        "new_price": words.money(prices.after_minor, one.currency),
    }
    return values | ({"has_usage": told.has_usage} if kind is MailKind.PLAN_MOVE else {})
