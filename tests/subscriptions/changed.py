"""Subscriptions of a customer with a card, and what changes of them came to.

*pro* is 30.00 USD a month, *team* 60.00 and *year* 360.00 a year; *seats* is 10.00 with one seat, 5.00 for each
further one, and *support* 7.00 beside it. From 31 January, 10:00 the first period has 28 days; half of them are left
from 14 February on.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.online_payments.models import SandboxCharge
from billing_core.payments import credit
from billing_core.payments.models import PaymentMethod, Refund
from billing_core.plans.terms import AddOn
from billing_core.subscriptions import signing_up
from billing_core.subscriptions.changes import cancelling, changing
from billing_core.subscriptions.changes.closing import Closing, Ending
from billing_core.subscriptions.changes.proposing import Proposal
from billing_core.subscriptions.changes.wanted import Wanted
from billing_core.subscriptions.models import Subscription
from billing_core.subscriptions.service import Wanted as SignedUp
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import BEGUN, YEAR, a_plan, at

D = Decimal
HALF = at(2, 14)


def plans(session: Session) -> str:
    """The customer's public id."""
    a_plan(session)
    a_plan(session, "team", "60")
    a_plan(
        session, "seats", "10", seat_price=D(5), included_seats=1, add_ons=(AddOn("support", "Support", {"USD": D(7)}),)
    )
    a_plan(session, "year", "360", interval=YEAR)
    return session.get_one(Customer, a_customer(session)).public_id


def subscribed(sessions, gateway, code="pro", *, card: str | None = "pm_card_visa", now=BEGUN, **facts) -> str:
    """By the newest customer."""
    with sessions.begin() as session:
        customer = session.scalar(select(Customer.public_id).order_by(Customer.id.desc())) or plans(session)
    return signing_up.subscribe(sessions, SYSTEM, gateway, SignedUp(customer, code, **facts), method=card, now=now)


def previewed(sessions, public_id: str, now: datetime = HALF, **wanted) -> Proposal:
    with sessions() as session:
        return changing.preview(session, SYSTEM, public_id, Wanted(**wanted), now=now)


def changed(sessions, gateway, public_id: str, now: datetime = HALF, token: str | None = None, **wanted) -> int:
    return changing.change(sessions, SYSTEM, gateway, public_id, Wanted(**wanted), token=token, now=now)


def found(session: Session, public_id: str) -> Subscription:
    return session.scalars(select(Subscription).where(Subscription.public_id == public_id)).one()


def balance(session: Session) -> int:
    """The customer's credit, in cents."""
    customer_id = session.scalars(select(func.max(Customer.id))).one()
    return credit.balance(session, default_business(session).id, customer_id, "USD").minor


def charged(session: Session) -> list[int]:
    """What the card was charged, in cents, the oldest first."""
    succeeded = select(SandboxCharge.amount_minor).where(SandboxCharge.succeeded)
    return list(session.scalars(succeeded.order_by(SandboxCharge.id)))


def credited(session: Session) -> int:
    return session.scalar(select(func.coalesce(func.sum(CreditNote.total_minor), 0))) or 0


def cancelled_as_shown(sessions, gateway, public_id: str, ending: Ending, now: datetime) -> Closing:
    """Cancel by the token of what was shown, and compare that with what is in the books then."""
    with sessions() as session:
        shown = cancelling.preview(session, SYSTEM, public_id, ending, mode=gateway.mode, now=now)
        before = _booked(session)
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, ending, token=shown.token, now=now)
    with sessions() as session:
        after = _booked(session)
        invoices = [session.get_one(Invoice, one.id) for one in shown.invoices]
    noted = sum(
        one.voided_minor for one, is_now in zip(shown.invoices, invoices, strict=True) if is_now.cancelled_at is None
    )
    notes, tax, refunded, kept = (now - then for now, then in zip(after, before, strict=True))
    assert (notes, refunded, kept) == (shown.credited_minor + noted, shown.refunded_minor, shown.kept_minor)
    if not noted:
        assert tax == shown.tax_minor
    for one, is_now in zip(shown.invoices, invoices, strict=True):
        due = is_now.due_minor if is_now.state is InvoiceState.OPEN else 0
        assert due == one.left_minor
    return shown


def _booked(session: Session) -> tuple[int, int, int, int]:
    """Credit notes, the tax in them, refunds to the card and the customer's credit, in cents."""
    to_card = select(_summed(Refund.amount_minor)).where(Refund.method == PaymentMethod.STRIPE)
    return (
        session.scalars(select(_summed(CreditNote.total_minor))).one(),
        session.scalars(select(_summed(CreditNote.tax_minor))).one(),
        session.scalars(to_card).one(),
        balance(session),
    )


def _summed(column) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)
