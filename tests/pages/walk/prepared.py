"""What the demo company lacks of all that a page has a button for, made by the real services where there is one."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome
from billing_core.bounces import recording, reports
from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.customer_lifecycle import deactivating, merging
from billing_core.customers import service as customers
from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.database.functions import database_clock
from billing_core.dates import Period
from billing_core.identity import SYSTEM, Role
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.sessions import Browser
from billing_core.imports import service as imports
from billing_core.invoices import queries
from billing_core.invoices import service as invoices
from billing_core.invoices.models import Invoice, InvoicedReport, InvoiceState
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.mailing import default_texts, wording
from billing_core.mailing.mails import MAIL
from billing_core.mailing.models import MailKind
from billing_core.online_payments.models import CaseKind, PaymentCase, WebhookEvent, WebhookState
from billing_core.outbox import service as outbox
from billing_core.outbox.mail import mail_id
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outbox.service import Message
from billing_core.outgoing_webhooks import service as outgoing_webhooks
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.payments import received, write_offs
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received
from billing_core.people import service as people
from billing_core.processes import service as processes
from billing_core.processes.models import Process, ProcessKind, Queue
from billing_core.subscriptions.models import Subscription, SubscriptionState
from tests.imports.files import incoming
from tests.pages.walk import hostile
from tests.pages.walk.prepared_plans import (
    card_on_file,
    moves,
    prepaid_credit,
    promo_codes,
    runs_over_usage,
    subscribed,
    usage_of_a_plan,
)


def prepare(sessions: Sessions, *, now: datetime) -> None:
    with sessions.begin() as session:
        _second_business(session, now)
        _people(session, now)
        _invoices(session, now)
        _mails(session, now)
        _outgoing_webhooks(session, now)
        _online_payments(session, now)
        _runs(session, now)
        _mail_text(session, now)
        _processes(session)
        usage_of_a_plan(session, now)
        runs_over_usage(session, now)
        promo_codes(session, now)
        moves(session, now)
        subscribed(session, now)
        # Of the customer who owes the newest invoice, whose payments are looked at.
        prepaid_credit(session, now)
        card_on_file(session, now)
        _deactivated(session, now)
        _merged(session, now)
        hostile.write(session)
    _imports(sessions, now)


def _imports(sessions: Sessions, now: datetime) -> None:
    """The second, which has changed and made something, can be taken back."""
    for rows in ("WALKED,Walked,per_order", "WALKED,Walked [far](x),per_order\nRUN,Run,per_item"):
        content = f"service_code,name,cost_type\n{rows}\n"
        file = incoming("services", content, file_name=f"file.csv{hostile.WRITTEN}")
        imports.apply(sessions, SYSTEM, file, now=now)


def _free() -> Select[int]:
    """The active customers who could be deactivated."""
    running = select(Subscription.customer_id).where(Subscription.state != SubscriptionState.CANCELED)
    return select(Customer.id).where(Customer.active, Customer.id.not_in(running))


def _deactivated(session: Session, now: datetime) -> None:
    newest = session.scalars(_free().order_by(Customer.id.desc()).limit(1)).one()
    deactivating.deactivate(session, SYSTEM, newest, now=now)


def _merged(session: Session, now: datetime) -> None:
    """One that was merged, and one of which the walk does it."""
    business_id = default_business(session).id
    facts = {"business_id": business_id, "currency": "USD", "created_at": now}
    twins = [Customer(ref=f"TWIN-{number}", name=f"Twin {number}", **facts) for number in (1, 2)]
    session.add_all(twins)
    session.flush()
    merging.merge(session, SYSTEM, twins[0].id, twins[1].id, now=now)


def _second_business(session: Session, now: datetime) -> None:
    details = replace(businesses.details(default_business(session)), name="The second house")
    businesses.create(session, SYSTEM, wanted=details, now=now)


def _people(session: Session, now: datetime) -> None:
    """One who is signed in, and one who is locked out."""
    for name, email in (("Grace", "grace@example.com"), ("Locked out", "out@example.com")):
        user = people.add_person(session, SYSTEM, email=email, name=name, role=Role.FINANCE, now=now)
        session.flush()
        browser_sessions.start(session, user.id, browser=Browser("203.0.113.8", "a test"), now=now)
    people.deactivate(session, SYSTEM, user.id, now=now)


def _invoices(session: Session, now: datetime) -> None:
    """A draft, a written-off one, and a hold of each kind; a hold that is over leaves the fields with a past day."""
    open_ones = session.scalars(select(Invoice).where(Invoice.state == InvoiceState.OPEN).order_by(Invoice.id)).all()
    today = now.date()
    _credit(session, now)
    said = queries.content(session, queries.one(session, SYSTEM, open_ones[0].id))
    lines = tuple(replace(line, report_id=None, usage_line_id=None) for line in said.lines)
    # It lacks something of the customer's, which is told before it is sent: it is no small one.
    lines = tuple(replace(line, quantity=line.quantity * 100) for line in lines)
    lacking = replace(said, issued_on=today, due_on=today, lines=lines, customer_address="")
    invoices.create(session, SYSTEM, lacking, now=now)
    write_offs.write_off(session, SYSTEM, open_ones[0].id, reason="They are no more", today=today, now=now)
    open_ones[1].held_until, open_ones[1].hold_reason = today - timedelta(days=1), "They disputed a line"
    customer_id = session.scalars(select(Customer.id).order_by(Customer.id.desc()).limit(1)).one()
    until = today + timedelta(days=7)
    customers.hold(session, SYSTEM, customer_id, until=until, reason="They moved", today=today, now=now)


def _newest_due(session: Session) -> Invoice:
    return session.scalars(select(Invoice).where(Invoice.due_minor > 0).order_by(Invoice.id.desc()).limit(1)).one()


def _credit(session: Session, now: datetime) -> None:
    """Of a customer who owes something in the same currency: what one happens to have depends on the day."""
    newest = _newest_due(session)
    cash = Received(newest.currency, 100, PaymentMethod.CASH, now.date())
    received.record(
        session,
        SYSTEM,
        customer_id=newest.customer_id,
        received=cash,
        allocations={},
        today=now.date(),
        now=now,
        business_id=newest.business_id,
    )


def _mails(session: Session, now: datetime) -> None:
    """One that waits, one that nobody could deliver, one without a mail server to bring it away; one that came back."""
    invoice_id = session.scalars(select(Invoice.id).where(Invoice.state == InvoiceState.OPEN).limit(1)).one()
    content = {"text": "Words", "html": "<p>Words</p>", "attachments": [["invoice_pdf", invoice_id]]}
    for state in (MessageState.WAITING, MessageState.FAILED, MessageState.HELD_BACK):
        subject = f"A mail that is {state}"
        mail = Message(MAIL, "invoice", f"walk:{state}", "ap@example.com", subject, ("invoice", invoice_id), content)
        message_id = outbox.put(session, SYSTEM, mail, now=now, not_before=now + timedelta(hours=1))
        _become(session, message_id, state)
    mail = Message(MAIL, "invoice", "walk:back", "back@example.com", "It came back", ("invoice", invoice_id), content)
    _become(session, outbox.put(session, SYSTEM, mail, now=now), MessageState.DELIVERED)
    told = reports.Told(("back@example.com",), True, "5.1.1", "No such mailbox")
    recording.record(session, SYSTEM, reports.Report((mail_id("walk:back"),), (told,)), now=now)


def _become(session: Session, message_id: int, state: MessageState) -> None:
    attempts = {MessageState.FAILED: 3, MessageState.DELIVERED: 1}.get(state, 0)
    changed = update(OutboxMessage).where(OutboxMessage.id == message_id).values(state=state, attempts=attempts)
    session.execute(changed)


def _outgoing_webhooks(session: Session, now: datetime) -> None:
    details = EndpointDetails("https://example.com/hooks", description="The warehouse")
    endpoint = outgoing_webhooks.register(session, SYSTEM, details, private_allowed=False, now=now)
    _become(session, outgoing_webhooks.ping(session, SYSTEM, endpoint.id, now=now), MessageState.FAILED)


def _online_payments(session: Session, now: datetime) -> None:
    """A link of which the gateway has not answered, an event that failed, a dispute that was lost, and money that came
    beside what its invoice owed: the demo company has such a case on most days of a month, but not on all.
    """
    link = session.scalars(
        select(PaymentLink).where(PaymentLink.state == LinkState.ACTIVE).order_by(PaymentLink.id).limit(1)
    ).one()
    link.state, link.url, link.gateway_id, link.activated_at = LinkState.CREATING, None, None, None
    event = session.scalars(select(WebhookEvent).order_by(WebhookEvent.id.desc()).limit(1)).one()
    event.state, event.outcome = WebhookState.FAILED, "It named an unknown payment"
    paid = session.scalars(select(Payment).where(Payment.gateway_key.is_not(None)).order_by(Payment.id).limit(1)).one()
    session.add(
        PaymentCase(
            key="walk:lost",
            kind=CaseKind.DISPUTE_LOST,
            customer_id=paid.customer_id,
            payment_id=paid.id,
            currency=paid.currency,
            amount_minor=paid.amount_minor,
            said="The bank decided for the card's holder",
            opened_at=now,
        )
    )
    due = _newest_due(session)
    session.add(
        PaymentCase(
            key="walk:differs",
            kind=CaseKind.AMOUNT_DIFFERS,
            customer_id=due.customer_id,
            invoice_id=due.id,
            payment_id=paid.id,
            currency=due.currency,
            # What they have as credit.
            amount_minor=100,
            expected_minor=due.due_minor,
            said="1.00 came instead of what is due",
            opened_at=now,
        )
    )


def _runs(session: Session, now: datetime) -> None:
    """One that goes on, one paused, one stopped, a rehearsal, and one that sent an invoice and failed with another."""
    ids = session.scalars(select(Customer.id).order_by(Customer.id)).all()
    sent = session.scalars(select(InvoicedReport).order_by(InvoicedReport.report_id).limit(1)).one()

    def planned(*customer_ids: int, goal: RunGoal = RunGoal.REPORTS) -> int:
        period = Period.last_month(now.date())
        return planning.plan(session, SYSTEM, customer_ids=customer_ids, period=period, goal=goal, now=now)

    planned(*ids[0:2])
    planning.pause(session, SYSTEM, planned(*ids[2:4]), now=now)
    # Long ago: a page looks again for a minute after a stop, and then no longer.
    planning.cancel(session, SYSTEM, planned(*ids[4:6]), now=now - timedelta(hours=1))
    rehearsal = planned(*ids[0:2], goal=RunGoal.REHEARSAL)
    finished = planned(*ids[6:8], goal=RunGoal.DRAFTS)
    for run_id, facts in (
        (rehearsal, {"outcome": RunOutcome.CREATED, "total_minor": 1_200, "currency": "USD", "order_count": 1}),
        (finished, {"outcome": RunOutcome.FAILED, "reason": "The report has changed since it was invoiced"}),
    ):
        session.execute(
            update(BillRunCustomer).where(BillRunCustomer.run_id == run_id).values(finished_at=now, **facts)
        )
        session.execute(update(BillRun).where(BillRun.id == run_id).values(finished_at=now))
    made = {"outcome": RunOutcome.CREATED, "report_id": sent.report_id, "invoice_id": sent.invoice_id, "reason": ""}
    first = (BillRunCustomer.run_id == finished) & (BillRunCustomer.customer_id == ids[6])
    session.execute(update(BillRunCustomer).where(first).values(**made))


def _mail_text(session: Session, now: datetime) -> None:
    business, kind = default_business(session), next(iter(MailKind))
    standard = default_texts.of(kind, SOURCE_LANGUAGE)
    own = replace(standard, subject=f"{standard.subject}!")
    wording.change(session, SYSTEM, business.id, kind, SOURCE_LANGUAGE, own, drawn_from=None, now=now)


def _processes(session: Session) -> None:
    """One that lives for as long as anybody walks, and one that was lost."""
    for process_id, seconds in (("living", 86_400), ("lost", -60)):
        processes.register(session, process_id, ProcessKind.WORKER, host="billing-1", pid=17, version="0.1.0")
        heard = {"last_heard_at": database_clock(seconds=seconds)}
        session.execute(update(Process).where(Process.id == process_id).values(heard))
    processes.lose(session, ["lost"])
    processes.note_in_hand(session, "lost", {Queue.MAILS: 1})
