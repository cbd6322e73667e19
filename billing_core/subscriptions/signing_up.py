"""Signing up across the network: the payment method is attached and what is due at once is charged first.

If that fails nothing stays of it: no subscription, no invoice, no redemption.
"""

from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers import queries as customers
from billing_core.customers.standing import refuse_inactive
from billing_core.database import Sessions
from billing_core.errors import BillingError, Conflict, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import service as drafts
from billing_core.online_payments.gateway import ChargeOutcome, Declined, Gateway
from billing_core.online_payments.models import ChargeAttempt
from billing_core.online_payments.off_session import attempts, methods
from billing_core.plans import subscribed
from billing_core.plans.models import Plan, PlanVersion
from billing_core.promotions import redeeming
from billing_core.subscriptions import collecting, invoicing, lifecycle, queries, service
from billing_core.subscriptions.lifecycle import ACTIVE, INCOMPLETE
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.service import Wanted

log = structlog.get_logger()


def subscribe(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    wanted: Wanted,
    *,
    method: str | None,
    request_key: str | None = None,
    now: datetime,
) -> str:
    """Sign a customer up; returns the subscription's public id. ``method`` is the gateway's ``pm_…`` id; None: invoices
    are mailed with a link. ``request_key`` names the request: however often it comes, the customer is signed up once.

    ``Declined`` where the payment method, or the first charge to it, is refused. Conflict while another first charge
    of the same customer for the same plan is under way.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    with sessions() as session:
        customer = customers.by_public_id(session, actor, wanted.customer_id)
        begun = _begun(session, customer.id, request_key)
        if begun is None:
            refuse_inactive(customer)
            service.agreed(session, actor, customer, wanted)
    if begun is None:
        method_id = None if method is None else methods.attach(sessions, actor, gateway, customer.id, method, now=now)
        with sessions.begin() as session:
            customers.for_change(session, actor, customer.id)
            begun = _begun(session, customer.id, request_key)
            if begun is None:
                begun = _create(session, actor, customer.id, wanted, method_id, request_key, now)
    public_id, attempt_id = begun
    if attempt_id is not None:
        _complete(sessions, actor, gateway, attempt_id, now)
    return public_id


def unfinished(session: Session, *, before: datetime, after: int = 0, limit: int = 100) -> dict[int, int]:
    """The subscriptions beyond ``after`` that were begun before then, and of whose first charge it is not known what
    came of it, each with its attempt.
    """
    statement = (
        select(Subscription.id, SubscriptionInvoice.attempt_id)
        .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
        .where(
            Subscription.state == INCOMPLETE,
            Subscription.created_at < before,
            Subscription.id > after,
            SubscriptionInvoice.attempt_id.is_not(None),
        )
    )
    found = session.execute(statement.order_by(Subscription.id).limit(limit))
    return {subscription_id: attempt_id for subscription_id, attempt_id in found if attempt_id is not None}


def complete_unfinished(sessions: Sessions, actor: Actor, gateway: Gateway, *, before: datetime, now: datetime) -> int:
    """Complete what was cut off between its charge and what came of it; how many there were."""
    done = 0
    for _, attempt_id in collecting.each_cut_off(sessions, unfinished, before=before):
        done += 1
        try:
            _complete(sessions, actor, gateway, attempt_id, now)
        except Declined:
            continue
        except BillingError as failure:
            # Not now: what is not answered is asked again under the same key.
            log.warning("sign_up_waits", attempt_id=attempt_id, because=str(failure))
    return done


def _begun(session: Session, customer_id: int, request_key: str | None) -> tuple[str, int | None] | None:
    """What the same request has begun before: the public id, and the attempt of a first charge under way."""
    if request_key is None:
        return None
    same = (Subscription.customer_id == customer_id, Subscription.request_key == request_key)
    found = session.scalars(select(Subscription).where(*same)).one_or_none()
    if found is None:
        return None
    if found.state is not INCOMPLETE:
        return found.public_id, None
    charging = select(SubscriptionInvoice.attempt_id).where(SubscriptionInvoice.subscription_id == found.id)
    return found.public_id, session.scalar(charging.where(SubscriptionInvoice.attempt_id.is_not(None)))


def _create(
    session: Session,
    actor: Actor,
    customer_id: int,
    wanted: Wanted,
    method_id: int | None,
    request_key: str | None,
    now: datetime,
) -> tuple[str, int | None]:
    """The new subscription's public id, and the attempt of its first charge, if it has one. The customer is locked."""
    _refuse_twice(session, customer_id, wanted.plan_code)
    subscription, first = service.create(session, actor, wanted, method_id=method_id, now=now)
    subscription.request_key = request_key
    return subscription.public_id, None if first is None else _begin(session, actor, subscription, first, now)


def _refuse_twice(session: Session, customer_id: int, plan_code: str) -> None:
    """Whoever got no answer, and sees no subscription yet, does not pay for a second one."""
    charging = (
        select(Subscription.id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(Subscription.customer_id == customer_id, Subscription.state == INCOMPLETE, Plan.code == plan_code)
    )
    if session.scalar(charging.limit(1)) is not None:
        raise Conflict("The first charge for this customer and plan is under way: try again in a moment")


def _begin(
    session: Session, actor: Actor, subscription: Subscription, first: SubscriptionInvoice, now: datetime
) -> int | None:
    """Charge the draft, or send it where there is nothing to charge, or nothing to charge it to."""
    due = 0 if first.invoice_id is None else invoicing.amount_to_pay(session, actor, first.invoice_id)
    if due and subscription.payment_method_id is not None and first.invoice_id is not None:
        first.attempt_id = attempts.begin(
            session, actor, first.invoice_id, subscription.payment_method_id, amount_minor=due, now=now
        )
        return first.attempt_id
    service.activate(session, actor, subscription, first, now=now)
    return None


def _complete(sessions: Sessions, actor: Actor, gateway: Gateway, attempt_id: int, now: datetime) -> None:
    """Charge, and record what came of it."""
    charged = attempts.charge(sessions, gateway, attempt_id)
    with sessions.begin() as session:
        invoice_id = session.get_one(ChargeAttempt, attempt_id).invoice_id
        found = select(SubscriptionInvoice).where(SubscriptionInvoice.invoice_id == invoice_id)
        billed = session.scalars(found).one_or_none()
        if billed is None:
            raise Declined(charged.message)
        try:
            subscription = queries.for_change(session, actor, billed.subscription_id)
        except NotFound:
            # Somebody else has undone it meanwhile.
            raise Declined(charged.message) from None
        if subscription.state is not INCOMPLETE:
            return
        assert billed.invoice_id is not None  # noqa: S101  # it was charged
        if charged.outcome is ChargeOutcome.SUCCEEDED:
            collecting.record_first(session, actor, billed, attempt_id, charged, now=now)
            lifecycle.move(session, actor, subscription, ACTIVE, now=now)
            return
        attempt = attempts.record(session, actor, attempt_id, charged, now=now)
        _undo(session, actor, subscription, billed.invoice_id, now)
        reason = attempt.failure
        raised = Declined(reason)
    raise raised


def _undo(session: Session, actor: Actor, subscription: Subscription, invoice_id: int, now: datetime) -> None:
    if subscription.redemption_id is not None:
        redemption_id, subscription.redemption_id = subscription.redemption_id, None
        session.flush()
        redeeming.release(session, actor, redemption_id, now=now)
    lifecycle.record(session, actor, subscription, "decline", None, {"invoice": invoice_id}, now=now)
    subscribed.undo(session, actor, subscription.customer_id, billed_with=subscription.public_id, now=now)
    session.delete(subscription)
    session.flush()
    drafts.discard(session, actor, invoice_id, now=now)
