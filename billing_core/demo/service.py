"""Filling an empty database with the demo company, in transactions so short that everybody else can work meanwhile.

First everything but orders and reports, together with the note that the demo company was begun; then the orders, month
by month; then the reports, a handful at a time; then invoices and payments, a month at a time, with the payment
links of those who pay online; then what customers called of the API; and last the orders that came in late, with the
reports made again for them and the note that the company is complete. A fill that was cut off is taken up where it
stopped: what is there already is neither made again nor changed.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby, islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.audit.models import AuditEntry
from billing_core.audit.queries import happened
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.dates import Period, add_months, first_of_month, start_of_day
from billing_core.demo import billing, company, invoicing, metered, order_book, paid_online, subscribed
from billing_core.demo.accounts import DemoAccount, add_accounts
from billing_core.demo.definitions import Definitions, definitions
from billing_core.demo.order_book import DemoOrder
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.metering.models import UsageDay, ZoneKind
from billing_core.orders.models import Order, OrderLine
from billing_core.rating.models import Service
from billing_core.reports import coverage
from billing_core.reports.models import BillingReport

SEED = 20_240_229
MONTHS = 18
ORDERS = 20_000
CALLS = 3_000_000
_BEGUN, _COMPLETE = "demo.fill", "demo.complete"
_REPORTS_AT_ONCE = 8
# Who waits for SQLite's write lock looks for it ten times a second: the pause between two transactions is longer.
_PAUSE_SECONDS = 0.12
# Whose last orders of that month came in after it was billed, so that its report has two versions.
_LATE_CUSTOMERS = ("KAFFE", "ALDER", "FIORE")
_LATE_MONTHS_AGO = 3


@dataclass(frozen=True, slots=True)
class Filled:
    """How much the demo company has."""

    customers: int
    orders: int
    lines: int
    reports: int
    calls: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a fill was begun with: the same again gives the same data."""

    today: date
    seed: int
    orders: int
    months: int
    calls: int = CALLS
    subscriptions: int = subscribed.COUNT

    @property
    def first_day(self) -> date:
        return add_months(first_of_month(self.today), -self.months)


def fill(
    sessions: Sessions,
    actor: Actor,
    *,
    today: date,
    now: datetime,
    accounts: Sequence[DemoAccount] = (),
    seed: int = SEED,
    orders: int = ORDERS,
    months: int = MONTHS,
    calls: int = CALLS,
    subscriptions: int = subscribed.COUNT,
) -> Filled:
    """Fill an empty database: that many whole months and the running one, up to ``today``; and add the accounts.

    The same seed and day give the same data. Refuses (Conflict) where there are customers or services already, unless
    they are of a fill that was cut off: that one is finished, with the day and size that it was begun with. A business
    that nobody has set up yet becomes the demo company's.
    """
    actor.require(Permission.IMPORT)
    made_of = definitions()
    with sessions.begin() as session:
        plan = _begun(session)
        if plan is None:
            plan = _Plan(today, seed, orders, months, calls, subscriptions)
            _begin(session, actor, made_of, plan, now)
        customers = company.customer_ids(session, made_of)
        zone = default_business(session).time_zone
    in_time, late = order_book.split_late(
        order_book.draw(made_of, plan.seed, first_day=plan.first_day, today=plan.today, count=plan.orders),
        _LATE_CUSTOMERS,
        month=add_months(first_of_month(plan.today), -_LATE_MONTHS_AGO),
    )
    books = billing.Books(customers, plan.first_day, plan.today, zone)
    for month, placed in groupby(in_time, key=lambda order: first_of_month(order.row["order_date"])):
        with sessions.begin() as session:
            _take_orders(session, list(placed), Period.month_of(month), books)
        time.sleep(_PAUSE_SECONDS)
    to_bill = billing.closed_months(made_of.customers, books)
    while bills := list(islice(to_bill, _REPORTS_AT_ONCE)):
        with sessions.begin() as session:
            billing.bill(session, actor, bills)
        time.sleep(_PAUSE_SECONDS)
    since = start_of_day(zone, plan.first_day)
    signed_up = {"seed": plan.seed, "count": plan.subscriptions}
    for month in invoicing.months(books):
        until = start_of_day(zone, add_months(month, 1))
        subscribed.live(sessions, actor, books, **signed_up, since=since, until=until)
        since = until
        time.sleep(_PAUSE_SECONDS)
        with sessions.begin() as session:
            invoicing.invoice_month(session, actor, month, books, seed=plan.seed)
        time.sleep(_PAUSE_SECONDS)
        if paid_online.is_online(month, plan.today):
            paid_online.collect_month(sessions, actor, month, books)
            time.sleep(_PAUSE_SECONDS)
    subscribed.live(sessions, actor, books, **signed_up, since=since, until=start_of_day(zone, plan.today))
    paid_online.read_books(sessions, actor, books, now=now)
    metered.fill(sessions, actor, made_of, books, seed=plan.seed, calls=plan.calls, now=now, pause=_PAUSE_SECONDS)
    with sessions.begin() as session:
        return _complete(session, actor, late, books, accounts, now)


def unfinished(session: Session) -> bool:
    """Whether a fill was cut off and waits to be finished."""
    return happened(session, _BEGUN) and not happened(session, _COMPLETE)


def _begun(session: Session) -> _Plan | None:
    """The plan of the fill that was cut off, None where the database is empty; else Conflict."""
    if unfinished(session):
        noted = session.scalars(select(AuditEntry.after).where(AuditEntry.action == _BEGUN)).one() or {}
        return _Plan(**{**noted, "today": date.fromisoformat(noted["today"])})
    if session.scalar(select(Customer.id).limit(1)) or session.scalar(select(Service.id).limit(1)):
        raise Conflict("The demo company only fills an empty database, and this one already has customers or services")
    return None


def _begin(session: Session, actor: Actor, made_of: Definitions, plan: _Plan, now: datetime) -> None:
    company.set_up_business(session, actor, made_of, now)
    company.add_customers(session, made_of, first_day=plan.first_day, seed=plan.seed)
    customers = company.customer_ids(session, made_of)
    company.add_products(session, made_of, customers)
    company.add_rates(session, made_of, customers, first_day=plan.first_day)
    _note(session, actor, _BEGUN, plan, now)


def _take_orders(session: Session, orders: Sequence[DemoOrder], month: Period, books: billing.Books) -> None:
    """A month's orders come in together: they are all there, or none is."""
    ids = list(books.customers.values())
    arrived = select(Order.id).where(Order.customer_id.in_(ids), month.contains(Order.order_date)).limit(1)
    if session.scalar(arrived) is None:
        company.add_orders(session, orders, books.customers)
        coverage.refresh(session, ids, month)


def _complete(
    session: Session,
    actor: Actor,
    late: Sequence[DemoOrder],
    books: billing.Books,
    accounts: Sequence[DemoAccount],
    now: datetime,
) -> Filled:
    if not unfinished(session):
        raise Conflict("The demo company was completed by somebody else meanwhile")
    if late:
        company.add_orders(session, late, books.customers)
        days = [order.row["order_date"] for order in late]
        coverage.refresh(session, list(books.customers.values()), Period(min(days), max(days)))
    billing.bill_again(session, actor, late, books)
    add_accounts(session, actor, accounts, now=now)
    filled = _filled(session, list(books.customers.values()))
    _note(session, actor, _COMPLETE, filled, now)
    return filled


def _filled(session: Session, customer_ids: Sequence[int]) -> Filled:
    theirs = Order.customer_id.in_(customer_ids)
    lines = select(func.count()).select_from(OrderLine).join(Order, Order.id == OrderLine.order_id).where(theirs)
    return Filled(
        customers=len(customer_ids),
        orders=session.scalar(select(func.count()).where(theirs)) or 0,
        lines=session.scalar(lines) or 0,
        calls=int(session.scalar(select(func.sum(UsageDay.calls)).where(UsageDay.zone_kind == ZoneKind.UTC)) or 0),
        reports=session.scalar(select(func.count()).where(BillingReport.customer_id.in_(customer_ids))) or 0,
    )


def _note(session: Session, actor: Actor, action: str, facts: _Plan | Filled, now: datetime) -> None:
    business = default_business(session)
    audit.record(session, actor, action, ("business", business.id), label=business.name, after=asdict(facts), now=now)
