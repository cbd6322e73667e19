"""What customers answer to mails that ask them for a card."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.online_payments.models import CardRequest, PaymentMethodOnFile
from billing_core.subscriptions import queries
from billing_core.subscriptions.changes import paying
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription


def answered(session: Session, *, limit: int) -> Sequence[int]:
    """The subscriptions for which a customer has given us the card that mails asked for."""
    statement = select(Subscription.id).where(Subscription.card_asked_at.is_not(None), _answers().exists())
    return session.scalars(statement.order_by(Subscription.id).limit(limit)).all()


def take_answer(session: Session, actor: Actor, subscription_id: int, *, now: datetime) -> None:
    """Charge it to the card that the customer has given; nothing, where it is cancelled or the card gone meanwhile."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    subscription = queries.for_change(session, actor, subscription_id)
    given = _answers().correlate(None).where(Subscription.id == subscription_id).order_by(CardRequest.id.desc())
    method_id = session.scalar(given.limit(1))
    if subscription.card_asked_at is None or method_id is None:
        return
    subscription.card_asked_at = None
    method = session.get_one(PaymentMethodOnFile, method_id, populate_existing=True)
    if subscription.state is not CANCELED and method.detached_at is None:
        paying.use(session, actor, subscription_id, method_id, now=now)


def _answers() -> Select[int | None]:
    """The cards that its customer has given since it is asked for one."""
    return select(CardRequest.method_id).where(
        CardRequest.customer_id == Subscription.customer_id, CardRequest.answered_at >= Subscription.card_asked_at
    )
