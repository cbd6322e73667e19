"""What the demo company lacks about plans: usage, promo codes, subscriptions, prepaid credit."""

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome, RunSource
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.metering import ingestion, meters
from billing_core.metering.alerts import AlertMeasure
from billing_core.metering.models import Aggregation, UsagePeriod
from billing_core.online_payments.gateway import AttachedMethod
from billing_core.online_payments.off_session import methods
from billing_core.payments import received, sending
from billing_core.payments.models import PaymentMethod
from billing_core.payments.prepaid import granting, top_ups, upkeep
from billing_core.payments.received import Received
from billing_core.plans import queries as plan_queries
from billing_core.plans import service as plans
from billing_core.plans.models import Plan, PlanInterval
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import Terms
from billing_core.promotions import redeeming
from billing_core.promotions import service as promotions
from billing_core.promotions.new_codes import NewCode
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


def usage_of_a_plan(session: Session, now: datetime) -> None:
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


def promo_codes(session: Session, now: datetime) -> None:
    """One of the plan that has been made here, redeemed by a customer."""
    customer = session.scalars(select(Customer).order_by(Customer.id).limit(1)).one()
    plan_id = session.scalars(select(Plan.id).where(Plan.code == "walked")).one()
    promotions.create(session, SYSTEM, NewCode("WALKED", "walked", percent=Decimal(20)), now=now)
    facts = {"customer_id": customer.id, "plan_id": plan_id, "currency": customer.currency}
    redeeming.redeem(session, SYSTEM, "WALKED", subject="sub_walked", now=now, **facts)


def moves(session: Session, now: datetime) -> None:
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


def subscribed(session: Session, now: datetime) -> None:
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


def card_on_file(session: Session, now: datetime) -> None:
    """Of the customer whose payments are looked at."""
    newest = select(Invoice.customer_id).where(Invoice.due_minor > 0).order_by(Invoice.id.desc()).limit(1)
    attached = AttachedMethod("cus_sandbox_1", "pm_card_visa_1", "visa", "4242", 12, now.year + 4)
    methods.record(session, SYSTEM, session.scalars(newest).one(), attached, mode=Mode.SANDBOX, now=now)


def prepaid_credit(session: Session, now: datetime) -> None:
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


def runs_over_usage(session: Session, now: datetime) -> None:
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
