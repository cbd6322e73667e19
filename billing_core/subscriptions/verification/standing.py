"""The proof that subscriptions stand where their periods and invoices say."""

from collections.abc import Iterator

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core import proof
from billing_core.database.functions import day_after
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.proof import Check
from billing_core.subscriptions.models import (
    Subscription,
    SubscriptionInvoice,
    SubscriptionPeriod,
    SubscriptionState,
)


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _tiles(session)
    yield _place(session)
    yield _state(session)


def _tiles(session: Session) -> Check:
    """Also in days. That each ends after it begins, the database sees to."""
    period, before = SubscriptionPeriod, aliased(SubscriptionPeriod)
    wrong = (
        select(Subscription.public_id, period.number)
        .join(Subscription, Subscription.id == period.subscription_id)
        .outerjoin(before, (before.subscription_id == period.subscription_id) & (before.number == period.number - 1))
        .where(
            period.number != 0,
            or_(
                before.number.is_(None),
                before.ends_at != period.starts_at,
                day_after(before.last_day) != period.first_day,
            ),
        )
        .order_by(period.subscription_id, period.number)
    )
    return Check(
        "Each period of a subscription begins where the one before it ended",
        proof.count(session, period),
        proof.named(session, wrong, "subscription {0}, period {1}"),
    )


def _place(session: Session) -> Check:
    """One that is cancelled may be looked at once more, to bill what was used of its last day."""
    one, present = Subscription, aliased(SubscriptionPeriod)
    latest = (
        select(func.max(SubscriptionPeriod.number))
        .where(SubscriptionPeriod.subscription_id == one.id)
        .correlate(one)
        .scalar_subquery()
    )
    following = case((one.state == SubscriptionState.TRIALING, one.trial_ends_at), else_=present.ends_at)
    wrong = (
        select(one.public_id)
        .outerjoin(present, (present.subscription_id == one.id) & (present.number == one.period_number))
        .where(
            or_(
                one.period_number.is_distinct_from(latest),
                and_(one.state != SubscriptionState.CANCELED, one.next_at.is_distinct_from(following)),
            )
        )
        .order_by(one.id)
    )
    return Check(
        "Each subscription is in its last period, and looked at again when that ends",
        proof.count(session, one),
        proof.named(session, wrong, "subscription {0}"),
    )


def _state(session: Session) -> Check:
    """What failed and is paid by hand counts until somebody looks at the subscription again."""
    failed = SubscriptionInvoice.failed_at.is_not(None)
    of_it = SubscriptionInvoice.subscription_id == Subscription.id
    any_failed = select(SubscriptionInvoice.id).where(of_it, failed).exists()
    still_open = (
        select(SubscriptionInvoice.id)
        .join(Invoice, Invoice.id == SubscriptionInvoice.invoice_id)
        .where(of_it, failed, Invoice.state == InvoiceState.OPEN)
        .exists()
    )
    owing = Subscription.state.in_((SubscriptionState.PAST_DUE, SubscriptionState.UNPAID))
    wrong = select(Subscription.public_id).where(
        or_(and_(Subscription.state == SubscriptionState.ACTIVE, still_open), and_(owing, ~any_failed))
    )
    return Check(
        "A subscription is past due or unpaid where a charge for one of its open invoices failed, and only there",
        proof.count(session, Subscription),
        proof.named(session, wrong.order_by(Subscription.id), "subscription {0}"),
    )
