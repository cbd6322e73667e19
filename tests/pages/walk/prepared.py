"""What the demo company lacks of all that a page has a button for, made by the real services where there is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome, RunSource
from billing_core.bounces import recording, reports
from billing_core.bounces.models import Bounce
from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.customer_lifecycle import deactivating, merging
from billing_core.customers import service as customers
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect
from billing_core.database.functions import database_clock
from billing_core.dates import Period
from billing_core.identity import SYSTEM, Role
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.sessions import Browser
from billing_core.imports import service as imports
from billing_core.imports.models import ImportRun
from billing_core.invoices import queries
from billing_core.invoices import service as invoices
from billing_core.invoices.models import Invoice, InvoicedReport, InvoiceState
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.mailing import default_texts, wording
from billing_core.mailing.mails import MAIL
from billing_core.mailing.models import MailKind
from billing_core.metering import ingestion, meters
from billing_core.metering.alerts import AlertMeasure
from billing_core.metering.models import Aggregation, UsagePeriod
from billing_core.online_payments.gateway import AttachedMethod
from billing_core.online_payments.models import CaseKind, PaymentCase, WebhookEvent, WebhookState
from billing_core.online_payments.off_session import methods
from billing_core.orders.models import Order
from billing_core.outbox import service as outbox
from billing_core.outbox.mail import mail_id
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outbox.service import Message
from billing_core.outgoing_webhooks import service as outgoing_webhooks
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.payments import received, sending, write_offs
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.prepaid import granting, top_ups, upkeep
from billing_core.payments.received import Received
from billing_core.people import service as people
from billing_core.plans import queries as plan_queries
from billing_core.plans import service as plans
from billing_core.plans.models import Plan, PlanInterval
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import Terms
from billing_core.processes import service as processes
from billing_core.processes.models import Process, ProcessKind, Queue
from billing_core.promotions import redeeming
from billing_core.promotions import service as promotions
from billing_core.promotions.new_codes import NewCode
from billing_core.reports.models import BillingReport
from billing_core.subscriptions import service as subscriptions
from billing_core.subscriptions.models import (
    ChangeState,
    Subscription,
    SubscriptionChange,
    SubscriptionInvoice,
    SubscriptionState,
)
from billing_core.subscriptions.moving import rehearsing
from billing_core.subscriptions.moving import service as moving
from billing_core.subscriptions.moving.asked import Asked
from billing_core.subscriptions.service import Wanted
from billing_core.usage import alerts, billing
from billing_core.usage.alerts import Threshold, Told
from tests.imports.files import incoming
from tests.pages.walk import hostile

KINDS_OF_RUNS = 5


def first_customer(file: Path) -> int:
    with _reading(file) as session:
        return session.scalars(select(Customer.id).order_by(Customer.id).limit(1)).one()


@contextmanager
def _reading(file: Path) -> Iterator[Session]:
    sessions = Sessions(connect(f"sqlite:///{file}"))
    with sessions() as session:
        yield session
    sessions.engine.dispose()


def addresses(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """Where no link leads that the walk would follow: it looks once at what is alike, and these come first."""
    newest_link, newest_due = PaymentLink.id.desc(), Invoice.id.desc()
    with _reading(file) as session:

        def first(column: Any, *conditions: Any, order: Any = None) -> str:
            return str(session.scalars(select(column).where(*conditions).order_by(order).limit(1)).one())

        lacking = (Invoice.state == InvoiceState.DRAFT, Invoice.customer_address == "")
        owing = first(Invoice.customer_id, Invoice.due_minor > 0, order=newest_due)
        mailed = first(Invoice.customer_id, Invoice.due_minor > 0, Invoice.customer_email != "", order=newest_due)
        of_a_link = first(OutboxMessage.id, OutboxMessage.subject_kind == "payment_link", order=OutboxMessage.id.desc())
        paid_by_link = first(PaymentLink.invoice_id, PaymentLink.state == LinkState.PAID, order=newest_link)
        billed, period = (
            first(column, order=UsagePeriod.id.desc()) for column in (UsagePeriod.customer_id, UsagePeriod.id)
        )
        return [
            # One that can be deactivated and merged, before others whose dialogs say that they cannot.
            ("customers.py", {"customer": first(Customer.id, Customer.ref == "TWIN-2")}),
            ("reports.py", {"report": first(BillingReport.id, BillingReport.superseded_at.is_not(None))}),
            *(("reports.py", {"tab": "Generate", "run": str(run_id)}) for run_id in _runs_of_each_kind(session)),
            *(("usage.py", {"usage_list": "Invoices", "run": str(run_id)}) for run_id in _runs_over_usage(session)),
            # One customer's reports: those of all take their time, and the buttons are the same.
            ("reports.py", {"tab": "Generate", "run_customers": first(Customer.name, order=Customer.id)}),
            ("invoice_editor.py", {"invoice": paid_by_link}),
            ("imports.py", {"import": first(ImportRun.id, ImportRun.changed_count > 0, order=ImportRun.id.desc())}),
            # An address that asks for what no page knows.
            ("customers.py", {"nothing": "known"}),
            ("invoice_editor.py", {"invoice": first(Invoice.id, *lacking)}),
            # Among all the mails the list of messages shows none of these.
            ("admin/outbox.py", {"message": of_a_link}),
            ("admin/outbox.py", {"message": first(Bounce.message_id)}),
            ("payments.py", {"record": owing}),
            ("customers.py", {"customer": owing, "customer_tab": "Payments"}),
            ("customers.py", {"customer": first(Order.customer_id), "customer_tab": "Orders"}),
            # One to whom a statement can be mailed.
            ("customers.py", {"customer": mailed, "customer_tab": "Statement"}),
            ("rate_cards.py", {"customer": owing}),
            ("customers.py", {"customer": first(Customer.id, ~Customer.active, Customer.merged_into_id.is_(None))}),
            ("customers.py", {"customer": first(Customer.id, Customer.merged_into_id.is_not(None))}),
            # Days without any document.
            ("tax.py", {"tax_period": "Custom", "tax_period_days": ("2001-01-01", "2001-01-31")}),
            ("plans.py", {"plans_tab": "Meters", "meter": "storage"}),
            ("plans.py", {"plan": "walked"}),
            ("plans.py", {"plan": "moved", "plan_tab": "Moves"}),
            ("promo_codes.py", {"code": "WALKED"}),
            ("usage.py", {"organization": billed}),
            *_subscriptions_shown(session),
            ("usage.py", {"organization": billed, "usage_tab": "Invoices", "usage_period": period}),
        ]


def _subscriptions_shown(session: Session) -> list[tuple[str, dict[str, str]]]:
    """Each with all that its page has, and one more for somebody who has one."""
    rows = session.execute(select(Subscription.id, Subscription.customer_id).order_by(Subscription.id.desc()).limit(3))
    metered, _, held = rows.all()
    return [
        ("subscriptions.py", {"subscription": str(held.id)}),
        ("subscriptions.py", {"subscription": str(held.id), "subscription_tab": "Invoices and charges"}),
        ("subscriptions.py", {"subscription": str(metered.id), "subscription_tab": "Usage"}),
        ("subscriptions.py", {"subscription": str(metered.id), "subscription_tab": "Changes"}),
        ("subscriptions.py", {"subscriber": str(held.customer_id)}),
        ("customers.py", {"customer": str(held.customer_id), "customer_tab": "Subscriptions"}),
    ]


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
        _usage(session, now)
        _usage_billed(session, now)
        _promo_codes(session, now)
        _moves(session, now)
        _subscriptions(session, now)
        # Of the customer who owes the newest invoice, whose payments are looked at.
        _prepaid_credit(session, now)
        _card_on_file(session, now)
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


def _credit(session: Session, now: datetime) -> None:
    """Of a customer who owes something in the same currency: what one happens to have depends on the day."""
    newest = session.scalars(select(Invoice).where(Invoice.due_minor > 0).order_by(Invoice.id.desc()).limit(1)).one()
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
    """A link of which the gateway has not answered, an event that failed, and a dispute that was lost."""
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


def _runs_of_each_kind(session: Session) -> list[int]:
    of_orders = select(BillRun.id).where(BillRun.source == RunSource.ORDERS)
    return list(session.scalars(of_orders.order_by(BillRun.id.desc()).limit(KINDS_OF_RUNS)))


def _runs_over_usage(session: Session) -> list[int]:
    return list(session.scalars(select(BillRun.id).where(BillRun.source == RunSource.USAGE).order_by(BillRun.id)))


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


def _usage(session: Session, now: datetime) -> None:
    """More events than a page of them shows, on a plan that includes fewer; and as many that came after their month was
    billed.
    """
    unbilled = Customer.id.not_in(select(UsagePeriod.customer_id))
    customer = session.scalars(select(Customer).where(unbilled).order_by(Customer.id).limit(1)).one()
    last_month = Period.last_month(now.date())
    agreed = Terms(customer.currency, Decimal(10), included_calls=20, price_per_call=Decimal("0.5"))
    plans.create(session, SYSTEM, code="walked", name="Walked", agreed=agreed, now=now)
    plans.put_on(session, SYSTEM, customer.id, "walked", valid_from=last_month.start, now=now)

    def call(name: str, count: int, time: str) -> None:
        told = {"organization_id": customer.uuid, "time": time, "user": "ana", "endpoint": "/v1/search"}
        events = [{**told, "id": f"{name}-{number}"} for number in range(count)]
        ingestion.record(session, SYSTEM, events, now=now, atomic=True)

    call("now", 60, now.isoformat())
    call("billed", 60, f"{last_month.start}T12:00:00Z")
    billing.bill(session, SYSTEM, customer.id, last_month, now=now, today=now.date())
    call("late", 101, f"{last_month.start}T12:00:00Z")
    alerts.create(session, SYSTEM, None, Threshold(AlertMeasure.ALLOWANCE, 90), Told(), now=now)
    meters.create(session, SYSTEM, code="storage", name="Storage", aggregation=Aggregation.SUM, unit="GB", now=now)
    meters.add_bucket(session, SYSTEM, "storage", code="cold", name="Cold", filters={"tier": ["cold"]}, now=now)
    stored = Price(customer.currency, Scheme.PER_UNIT, (Tier(None, Decimal("0.02")),))
    plans.add_version(session, SYSTEM, "walked", agreed, charged={Metered("storage"): stored}, now=now)


def _promo_codes(session: Session, now: datetime) -> None:
    """One of the plan that has been made here, redeemed by a customer."""
    customer = session.scalars(select(Customer).order_by(Customer.id).limit(1)).one()
    plan_id = session.scalars(select(Plan.id).where(Plan.code == "walked")).one()
    promotions.create(session, SYSTEM, NewCode("WALKED", "walked", percent=Decimal(20)), now=now)
    facts = {"customer_id": customer.id, "plan_id": plan_id, "currency": customer.currency}
    redeeming.redeem(session, SYSTEM, "WALKED", subject="sub_walked", now=now, **facts)


def _moves(session: Session, now: datetime) -> None:
    """A subscription that is to go on with version 2 of its plan, and two that could go on with version 4."""
    customer = session.scalars(select(Customer).where(Customer.currency == "USD").order_by(Customer.id).limit(1)).one()

    def signed_up(price: int) -> None:
        agreed = Terms("USD", Decimal(price), 0, Decimal(0))
        if price == 30:
            plans.create(session, SYSTEM, code="moved", name="Moved", agreed=agreed, now=now)
        else:
            plans.add_version(session, SYSTEM, "moved", agreed, now=now)
        wanted = Wanted(customer.public_id, "moved", trial_days=14)
        subscriptions.create(session, SYSTEM, wanted, method_id=None, now=now)

    signed_up(30)
    signed_up(40)
    asked = Asked("moved", 2, now.date() + timedelta(days=60))
    limits = {"today": now.date(), "notice_days": 30}
    shown = rehearsing.rehearse(session, SYSTEM, asked, **limits)
    moving.move(session, SYSTEM, asked, shown.token, now=now, **limits)
    signed_up(50)
    plans.add_version(session, SYSTEM, "moved", Terms("USD", Decimal(60), 0, Decimal(0)), now=now)


def _subscriptions(session: Session, now: datetime) -> None:
    """One that waits for a decision and could not be charged, one in its trial, and another customer's that is paused,
    whose plan has a price for usage and is to change. Of the plans the last one can be had by anybody who pays in USD.
    """
    in_usd = select(Customer).where(Customer.currency == "USD").order_by(Customer.id).limit(2)
    held, metered = session.scalars(in_usd).all()
    for code, interval, per_call in (
        ("metered", PlanInterval.MONTH, Decimal("0.01")),
        ("monthly", PlanInterval.MONTH, Decimal(0)),
        ("yearly", PlanInterval.YEAR, Decimal(0)),
    ):
        agreed = Terms("USD", Decimal(30), 0, per_call, interval)
        plans.create(session, SYSTEM, code=code, name=code.title(), agreed=agreed, now=now)
    for customer, code, days in ((held, "monthly", 0), (held, "monthly", 14), (metered, "metered", 0)):
        wanted = Wanted(customer.public_id, code, trial_days=days)
        made, first = subscriptions.create(session, SYSTEM, wanted, method_id=None, now=now)
        if first is not None:
            subscriptions.activate(session, SYSTEM, made, first, now=now)
        if customer is held and not days:
            made.held_at, made.hold_reason = now, "More than 3 periods have begun since"
            _charge_failed(session, made, first, now)
    made.paused_at = now
    asked = {"plan": "monthly", "version_id": plan_queries.latest(session, SYSTEM, "monthly").id}
    facts = {"period_number": 1, "asked_at": now, "asked_by": "Grace", "state": ChangeState.SCHEDULED}
    session.add(SubscriptionChange(subscription_id=made.id, wanted=asked, **facts))


def _charge_failed(session: Session, made: Subscription, billed: SubscriptionInvoice, now: datetime) -> None:
    """To a card that expires soon."""
    soon = now + timedelta(days=14)
    attached = AttachedMethod("cus_sandbox_2", "pm_card_visa_2", "visa", "0341", soon.month, soon.year)
    card = methods.record(session, SYSTEM, made.customer_id, attached, mode=Mode.SANDBOX, now=now)
    made.state, made.payment_method_id = SubscriptionState.PAST_DUE, card
    billed.failures, billed.failed_at, billed.collect_at = 1, now, now + timedelta(days=1)


def _card_on_file(session: Session, now: datetime) -> None:
    """Of the customer whose payments are looked at."""
    newest = select(Invoice.customer_id).where(Invoice.due_minor > 0).order_by(Invoice.id.desc()).limit(1)
    attached = AttachedMethod("cus_sandbox_1", "pm_card_visa_1", "visa", "4242", 12, now.year + 4)
    methods.record(session, SYSTEM, session.scalars(newest).one(), attached, mode=Mode.SANDBOX, now=now)


def _prepaid_credit(session: Session, now: datetime) -> None:
    """Of the customer whose payments are looked at: given, and bought."""
    newest = select(Invoice.customer_id).where(Invoice.due_minor > 0).order_by(Invoice.id.desc()).limit(1)
    facts = {"amount_minor": 10_00, "expires_on": None, "reason": "Welcome", "today": now.date(), "now": now}
    customer_id = session.scalars(newest).one()
    granting.give(session, SYSTEM, customer_id, **facts)
    top_ups.change(session, SYSTEM, customer_id, top_ups.Wanted(1_00, 20_00), now=now)
    day = {"today": now.date(), "now": now}
    bought = granting.sell(session, SYSTEM, customer_id, amount_minor=20_00, valid_days=None, **day).invoice_id
    invoice = sending.send(session, SYSTEM, bought, now=now)
    money = Received(invoice.currency, invoice.due_minor, PaymentMethod.CASH, now.date())
    received.record_for(session, SYSTEM, bought, received=money, **day)
    upkeep.run(session, SYSTEM, now=now, limit=1)


def _usage_billed(session: Session, now: datetime) -> None:
    """A rehearsal, and a run that made a draft and closed a period."""
    ids = session.scalars(select(Customer.id).order_by(Customer.id).limit(2)).all()
    draft = session.scalars(select(Invoice.id).where(Invoice.state == InvoiceState.DRAFT).limit(1)).one()
    period = Period.last_month(now.date())
    closed = {"total_minor": 0, "currency": "USD", "reason": "Nothing was used: there is nothing to bill"}
    for goal, made in (
        (RunGoal.REHEARSAL, {"total_minor": 1_200, "currency": "USD"}),
        (RunGoal.DRAFTS, {"total_minor": 1_200, "currency": "USD", "invoice_id": draft}),
    ):
        run_id = planning.plan(
            session, SYSTEM, source=RunSource.USAGE, customer_ids=ids, period=period, goal=goal, now=now
        )
        for customer_id, facts in zip(ids, (made, closed), strict=True):
            one = (BillRunCustomer.run_id == run_id) & (BillRunCustomer.customer_id == customer_id)
            through = {"outcome": RunOutcome.CREATED, "finished_at": now}
            session.execute(update(BillRunCustomer).where(one).values(**through, **facts))
        session.execute(update(BillRun).where(BillRun.id == run_id).values(finished_at=now))


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
