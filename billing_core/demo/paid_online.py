"""The demo company's payment links: some customers pay online since half a year, through the embedded sandbox.

A month of links is one transaction, so that a fill that is cut off leaves no half-told story behind.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database import Sessions, for_changes
from billing_core.dates import Period, add_months, first_of_month, start_of_day
from billing_core.demo.billing import Books
from billing_core.demo.link_story import (
    MOMENT,
    MORNING,
    Joined,
    Story,
    charge,
    click,
    create,
    deliver,
    dispute,
    pay,
    transfer,
    try_card,
)
from billing_core.identity import Actor
from billing_core.invoices.models import Invoice, InvoicedReport, InvoiceState
from billing_core.invoices.payment_links import Mode, PaymentLink
from billing_core.online_payments import refunding
from billing_core.online_payments.links import expiry, workflow
from billing_core.online_payments.reconciliation import balance_transactions
from billing_core.online_payments.sandbox.cards import Outcome
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.payments.models import Payment
from billing_core.settings import settings

# Among those who are billed early in each month, so that there is a link of each kind.
CUSTOMERS: Final = ("KAFFE", "NORDL", "THALA", "KNIHY", "PETIT", "GATOS", "PAPIR", "PIXEL", "TULIP", "ALPEN")
MONTHS: Final = 6


def is_online(month: date, today: date) -> bool:
    """Could customers pay that month's invoices by a link?"""
    return month >= add_months(first_of_month(today), -MONTHS)


def online(session: Session, month: date, today: date) -> set[int]:
    """The ids of the customers who are asked to pay that month's invoice by a link."""
    if not is_online(month, today):
        return set()
    return set(session.scalars(select(Customer.id).where(Customer.ref.in_(CUSTOMERS))))


def collect_month(sessions: Sessions, actor: Actor, month: date, books: Books) -> None:
    """Create links for the month's invoices that are to be paid online, and tell what came of each by today."""
    months_ago = (books.today.year - month.year) * 12 + books.today.month - month.month
    engine = for_changes(sessions.engine)
    with engine.begin() as connection:
        joined = Joined(connection)
        with joined() as session:
            stories = list(_begun(session, joined, actor, month, books))
        for place, story in enumerate(stories):
            _kind(months_ago, place)(story)


def read_books(sessions: Sessions, actor: Actor, books: Books, *, now: datetime) -> None:
    """Read the sandbox's books of all that time, so that they can be compared with ours, month by month."""
    this_month = Period.month_of(books.today)
    period = Period(add_months(this_month.start, -MONTHS), this_month.end)
    balance_transactions.read(sessions, actor, SandboxGateway(sessions, settings()), period, now=now)


def _begun(session: Session, sessions: Sessions, actor: Actor, month: date, books: Books) -> Iterator[Story]:
    """The stories of the month's invoices that wait for a link: open, and without one so far."""
    columns = (Invoice.id, Invoice.number, Invoice.currency, Invoice.due_minor, Invoice.issued_on, Invoice.due_on)
    statement = select(*columns).where(
        Invoice.customer_id.in_(online(session, month, books.today)),
        Period.month_of(add_months(month, 1)).contains(Invoice.issued_on),
        Invoice.state == InvoiceState.OPEN,
        Invoice.id.in_(select(InvoicedReport.invoice_id)),
        ~select(PaymentLink.id).where(PaymentLink.invoice_id == Invoice.id).exists(),
    )
    for invoice_id, number, currency, due_minor, issued_on, due_on in session.execute(statement.order_by(Invoice.id)):
        now = start_of_day(books.zone, issued_on) + MORNING
        yield Story(sessions, actor, books, invoice_id, number or "", currency, due_minor, issued_on, due_on, now)


def _paid(story: Story) -> Payment | None:
    """The customer opens the link, and pays."""
    return pay(story, create(story))


def _waiting(story: Story) -> None:
    create(story)


def _looked_at(story: Story) -> None:
    """Opened, and left for later."""
    click(story, create(story), story.issued_on + timedelta(days=1))


def _declined(story: Story) -> None:
    """The card was refused, and nobody has tried another one since."""
    try_card(story, create(story), Outcome.DECLINED)


def _declined_first(story: Story) -> None:
    """The second card was taken."""
    link = create(story)
    try_card(story, link, Outcome.EXPIRED)
    pay(story, link)


def _expired(story: Story) -> None:
    """Nobody pays by the link while it lasts; a transfer comes when it is over."""
    link = create(story)
    with story.sessions() as session:
        over = session.get_one(PaymentLink, link).expires_at
    if story.to_come(over.date() + timedelta(days=3)):
        return
    story.now = over + MOMENT
    with story.sessions.begin() as session:
        expiry.end_due(session, story.actor, mode=Mode.SANDBOX, now=story.now)
    deliver(story)
    story.at(over.date() + timedelta(days=3))
    transfer(story, story.amount_minor)


def _deactivated(story: Story) -> None:
    """Taken back, and created anew."""
    link = create(story)
    story.at(story.issued_on + timedelta(days=1))
    with story.sessions.begin() as session:
        workflow.deactivate(session, story.actor, link, reason="Sent to a colleague who has left", now=story.now)
    deliver(story)
    _paid(story)


def _withdrawn(story: Story) -> None:
    """Taken back, because the customer would rather pay by transfer."""
    link = create(story)
    story.at(min(story.issued_on + timedelta(days=2), story.books.today))
    with story.sessions.begin() as session:
        workflow.deactivate(session, story.actor, link, reason="The customer pays by transfer after all", now=story.now)
    deliver(story)


def _refunded(story: Story) -> None:
    """A tenth goes back the way it came."""
    payment = _paid(story)
    back_on = story.now.date() + timedelta(days=6)
    if payment is None or story.to_come(back_on):
        return
    story.at(back_on)
    why, amount = "A pallet was charged twice", max(payment.amount_minor // 10, 1)
    refunding.refund(
        story.sessions, story.actor, story.gateway, payment.id, amount_minor=amount, reason=why, now=story.now
    )
    deliver(story)


def _paid_twice(story: Story) -> None:
    """Half of it comes by transfer on the very day on which all of it is paid by the link: a person has to decide."""
    link = create(story)
    if story.to_come(story.paid_on):
        return
    click(story, link, story.paid_on)
    charge(story, link, Outcome.SUCCEEDS)
    transfer(story, story.amount_minor // 2 or story.amount_minor)
    deliver(story)


def _disputed(story: Story) -> None:
    """The card's holder has asked the bank for the money back, and the bank has not decided."""
    payment = _paid(story)
    if payment is None:
        return
    story.at(min(story.now.date() + timedelta(days=9), story.books.today - timedelta(days=1)))
    dispute(story, payment)


# By how many months ago the billed month is; whoever comes after the last of a list has paid.
_KINDS: dict[int, tuple[Callable[[Story], object], ...]] = {
    1: (_looked_at, _declined, _waiting, _withdrawn),
    2: (_disputed, _paid_twice, _declined_first),
    3: (_refunded, _deactivated),
    4: (_expired, _paid, _declined_first),
    6: (_paid, _refunded),
}


def _kind(months_ago: int, place: int) -> Callable[[Story], object]:
    kinds = _KINDS.get(months_ago, ())
    return kinds[place] if place < len(kinds) else _paid
