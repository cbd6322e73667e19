"""Plans, customers and subscriptions whose amounts can be worked out in one's head: *pro* is 30.00 USD a month."""

from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.invoices.models import Invoice
from billing_core.plans import service as plans
from billing_core.plans.models import PlanInterval
from billing_core.plans.terms import Terms
from billing_core.subscriptions import renewals, service
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.renewals import Done
from billing_core.subscriptions.service import Wanted
from tests.invoices.company import a_customer

D = Decimal
BEGUN = datetime(2026, 1, 31, 10, tzinfo=UTC)


def at(month: int, day: int, hour: int = 10, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def a_plan(session: Session, code: str = "pro", price: str = "30", **facts) -> str:
    agreed = Terms("USD", D(price), facts.pop("included_calls", 0), D(facts.pop("price_per_call", 0)), **facts)
    plans.create(session, SYSTEM, code=code, name=code.title(), agreed=agreed, now=BEGUN)
    return code


def a_subscription(session: Session, code: str = "pro", ref: str = "ACME", now: datetime = BEGUN, **facts) -> int:
    """Without a payment method, so that nothing is charged; its customer is made where there is none."""
    customer_id = session.scalar(select(Customer.id).where(Customer.ref == ref)) or a_customer(session, ref)
    public_id = session.get_one(Customer, customer_id).public_id
    made, first = service.create(session, SYSTEM, Wanted(public_id, code, **facts), method_id=None, now=now)
    if first is not None:
        service.activate(session, SYSTEM, made, first, now=now)
    return made.id


def renewed(sessions: Sessions, subscription_id: int, now: datetime) -> list[Done]:
    """Everything that is due, one transaction each."""
    done = []
    while True:
        with sessions.begin() as session:
            step = renewals.advance(session, SYSTEM, subscription_id, now=now)
        if step is None:
            return done
        done.append(step)


def state(session: Session, subscription_id: int) -> Subscription:
    return session.get_one(Subscription, subscription_id, populate_existing=True)


def billed(session: Session, subscription_id: int) -> list[tuple[date, int]]:
    """The day and the total, in cents, of each of its invoices, the oldest first."""
    statement = (
        select(Invoice.issued_on, Invoice.total_minor)
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .where(SubscriptionInvoice.subscription_id == subscription_id)
        .order_by(Invoice.id)
    )
    return [tuple(row) for row in session.execute(statement)]


def lines(session: Session, subscription_id: int, place: int = -1) -> list[tuple[str, int]]:
    """The lines of one of its invoices, each with its amount in cents."""
    ids = select(SubscriptionInvoice.invoice_id).where(
        SubscriptionInvoice.subscription_id == subscription_id, SubscriptionInvoice.invoice_id.is_not(None)
    )
    invoice_id = session.scalars(ids.order_by(SubscriptionInvoice.id)).all()[place]
    return [(line.description, line.amount_minor) for line in queries.lines(session, invoice_id)]


MONTH, QUARTER, YEAR = PlanInterval.MONTH, PlanInterval.QUARTER, PlanInterval.YEAR
