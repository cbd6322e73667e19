"""Customers to run over, and what a run left behind.

Each has one order of 4 items in March, which comes to 4.00: 2.00 for handling and 0.50 an item.
"""

from collections import Counter
from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.bill_runs import planning, progress, taking, workflow
from billing_core.bill_runs.models import BillRunCustomer
from billing_core.bill_runs.progress import ItemRow, Progress
from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.mailing.models import MailKind
from billing_core.outbox.models import OutboxMessage
from billing_core.reports.models import BillingReport
from tests.online_payments.gateways import ScriptedGateway
from tests.reports.company import MARCH, NOW, a_customer, an_order


class Killed(BaseException):
    """The process dies: nothing after this is carried out, and no handler of failures sees it."""


def some_customers(session: Session, count: int, *, named: str = "C") -> list[int]:
    ids = [a_customer(session, f"{named}{n}", name=f"Customer {named}{n}") for n in range(count)]
    for customer_id in ids:
        session.get_one(Customer, customer_id).email = f"ap@{customer_id}.example"
        an_order(session, customer_id, f"SO-{customer_id}")
    return ids


def planned(sessions: Sessions, customer_ids=None, actor=SYSTEM, **options) -> int:
    with sessions.begin() as session:
        return planning.plan(session, actor, customer_ids=customer_ids, period=MARCH, now=NOW, **options)


def worked_off(sessions: Sessions, run_id: int, gateway: ScriptedGateway | None = None, *, now=NOW) -> Progress:
    """Bill whoever waits, in this thread, as a process that works alone does."""
    with sessions() as session:
        terms = taking.terms(session, run_id)
        chunks = taking.waiting_chunks(session, run_id, terms.attempt)
    for chunk in chunks:
        while workflow.bill_next(sessions, lambda: gateway or ScriptedGateway(), terms, chunk, now=now):
            pass
    with sessions.begin() as session:
        taking.finish(session, run_id, terms.attempt, now=now)
    return seen(sessions, run_id, now=now)


def worked_off_in_spite_of(sessions: Sessions, run_id: int, gateway: ScriptedGateway) -> Progress:
    """The same, again and again for as long as the process dies."""
    while True:
        with suppress(Killed):
            return worked_off(sessions, run_id, gateway)


def seen(sessions: Sessions, run_id: int, actor=SYSTEM, *, now=NOW) -> Progress:
    with sessions() as session:
        return progress.progress(session, actor, run_id, now=now)


def rows(sessions: Sessions, run_id: int, **options) -> list[ItemRow]:
    with sessions() as session:
        return progress.items(session, SYSTEM, run_id, **options)


def made(sessions: Sessions, customer_ids: list[int]) -> dict[str, Counter[int]]:
    """How many current reports, living invoices, mails and usable links there are of each customer."""
    living = Invoice.state != InvoiceState.CANCELLED
    counted = {
        "reports": select(BillingReport.customer_id).where(BillingReport.superseded_at.is_(None)),
        "invoices": select(Invoice.customer_id).where(living),
        "mails": select(OutboxMessage.customer_id).where(OutboxMessage.topic == MailKind.INVOICE),
        "links": select(Invoice.customer_id)
        .join(PaymentLink, PaymentLink.invoice_id == Invoice.id)
        .where(PaymentLink.state == LinkState.ACTIVE),
    }
    with sessions() as session:
        return {
            name: Counter(found for found in session.scalars(statement) if found in customer_ids)
            for name, statement in counted.items()
        }


def in_hand(session: Session, run_id: int) -> list[str | None]:
    """Which process has each customer in hand."""
    statement = select(BillRunCustomer.process_id).where(BillRunCustomer.run_id == run_id)
    return list(session.scalars(statement.order_by(BillRunCustomer.customer_id)))
