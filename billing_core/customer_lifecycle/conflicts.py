"""What keeps two customers from being merged: said before anything changes, each with what to do about it."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunOutcome
from billing_core.customer_lifecycle.belongings import BELONGINGS, Fate
from billing_core.customers.models import Customer
from billing_core.orders.models import Order
from billing_core.payments.prepaid.models import PrepaidGrant, PrepaidTopUp
from billing_core.plans.models import CustomerPlan, Plan, PlanVersion
from billing_core.rating.models import Rate
from billing_core.reports.coverage import unbilled
from billing_core.subscriptions.models import Subscription, SubscriptionState

# What is in the customer's own currency: it would mean other amounts in another one.
_IN_ITS_CURRENCY: Final[tuple[tuple[str, type, ColumnElement[bool] | None], ...]] = (
    ("rates", Rate, Rate.withdrawn_at.is_(None)),
    ("orders that are not billed", Order, unbilled()),
    ("a plan", CustomerPlan, None),
    ("subscriptions", Subscription, Subscription.state != SubscriptionState.CANCELED),
    ("prepaid credit", PrepaidGrant, PrepaidGrant.remaining_minor > 0),
    ("an automatic top-up", PrepaidTopUp, None),
)


def found(session: Session, former: Customer, into: Customer) -> Iterator[str]:
    """Each reason, in words that name the customer."""
    if former.id == into.id:
        yield "A customer cannot be merged into itself"
        return
    for one in (former, into):
        if one.merged_into_id is not None:
            yield f"{one.name} was merged into the customer {one.merged_into_id} already"
    if not into.active and into.merged_into_id is None:
        yield f"{into.name} is deactivated: reactivate it first, or merge the other way round"
    if former.business_id != into.business_id:
        yield "They are customers of two of our businesses, whose documents and balances are apart"
    yield from _usage(session, former)
    if former.currency != into.currency:
        yield from _in_other_currency(session, former, into)
    yield from _on_the_same(session, former, into)
    running = select(BillRun.id).join(BillRunCustomer, BillRunCustomer.run_id == BillRun.id)
    running = running.where(
        BillRunCustomer.customer_id.in_((former.id, into.id)),
        BillRunCustomer.outcome == RunOutcome.WAITING,
        BillRun.finished_at.is_(None),
        BillRun.cancelled_at.is_(None),
    )
    if run_id := session.scalar(running.order_by(BillRun.id).limit(1)):
        yield f"The bill run {run_id} has them under way: let it end, or stop it"


def _usage(session: Session, former: Customer) -> Iterator[str]:
    """The id of an event is its customer's for ever, and so are bills and archives of them."""
    of_usage = [one for one in BELONGINGS if one.fate is Fate.REFUSES]
    if any(_any(session, one.column, former) for one in of_usage):
        yield (
            f"{former.name} has recorded usage, whose ids, bills and archives are its own for ever: "
            "merge the other way round, if the other one has none"
        )


def _in_other_currency(session: Session, former: Customer, into: Customer) -> Iterator[str]:
    for noun, entity, condition in _IN_ITS_CURRENCY:
        if _any(session, entity.customer_id, former, condition):  # type: ignore[attr-defined]
            yield f"{former.name} has {noun} in {former.currency}, and {into.name} is billed in {into.currency}"


def _on_the_same(session: Session, former: Customer, into: Customer) -> Iterator[str]:
    both = (former.id, into.id)
    subscribed = (
        select(Plan.name)
        .join(PlanVersion, PlanVersion.plan_id == Plan.id)
        .join(Subscription, Subscription.plan_version_id == PlanVersion.id)
        .where(Subscription.customer_id.in_(both), Subscription.state != SubscriptionState.CANCELED)
        .group_by(Plan.id, Plan.name)
        .having(func.count(Subscription.customer_id.distinct()) > 1)
    )
    for name in session.scalars(subscribed.order_by(Plan.id)):
        yield f"Both are subscribed to {name}: cancel one of the subscriptions first"
    if all(_any(session, CustomerPlan.customer_id, one) for one in (former, into)):
        yield "Both are, or were, on a plan for usage: whose terms hold on which day cannot be decided"
    if all(_any(session, PrepaidTopUp.customer_id, one) for one in (former, into)):
        yield "Both have an automatic top-up of prepaid credit: end one of them first"


def _any(
    session: Session, column: InstrumentedAttribute[int], customer: Customer, *conditions: ColumnElement[bool] | None
) -> bool:
    statement = select(exists().where(column == customer.id, *(one for one in conditions if one is not None)))
    return bool(session.scalar(statement))
