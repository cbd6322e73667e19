"""Filling beside other work: in short transactions, and taken up again where it was cut off."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Event

import pytest
from sqlalchemy import func, select

from billing_core import demo
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect
from billing_core.demo import billing, company, metered, paid_online, service, subscribed
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.identity.models import User
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import PaymentLink
from billing_core.metering import verification as metering_verification
from billing_core.metering.models import UsageDay, UsageEvent
from billing_core.orders.models import Order, OrderLine
from billing_core.people import service as people
from billing_core.reports import verification
from billing_core.reports.models import BillingReport

pytestmark = pytest.mark.slow

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SMALL = {"today": TODAY, "now": NOW, "orders": 200, "months": 3, "calls": 2_000, "subscriptions": 6}


class CutOff(Exception):
    """Stands for the process ending."""


def cut_off_at(monkeypatch, module, name, call):
    """The function works until its so-manieth call."""
    whole, calls = getattr(module, name), []

    def until_then(*arguments, **facts):
        calls.append(name)
        if len(calls) == call:
            raise CutOff
        return whole(*arguments, **facts)

    monkeypatch.setattr(module, name, until_then)


def reports(sessions):
    """What was billed, by content."""
    with sessions() as session:
        statement = (
            select(
                Customer.ref,
                BillingReport.period_start,
                BillingReport.version,
                BillingReport.total_minor,
                BillingReport.order_count,
                BillingReport.question_count,
                BillingReport.created_at,
            )
            .join(Customer, Customer.id == BillingReport.customer_id)
            .order_by(Customer.ref, BillingReport.period_start, BillingReport.version)
        )
        return [tuple(row) for row in session.execute(statement)]


def payment_links(sessions):
    """Which invoices have a link, and what came of it."""
    with sessions() as session:
        statement = (
            select(
                Invoice.number, PaymentLink.state, PaymentLink.amount_minor, PaymentLink.clicks, PaymentLink.ended_at
            )
            .join(PaymentLink, PaymentLink.invoice_id == Invoice.id)
            .order_by(PaymentLink.id)
        )
        return [tuple(row) for row in session.execute(statement)]


def usage(sessions):
    """What was used, by day and user, of events and of archives."""
    with sessions() as session:
        place = (Customer.ref, UsageDay.zone_kind, UsageDay.day, UsageDay.user, UsageDay.archive_id == 0)
        rows = select(*place, UsageDay.calls, UsageDay.response_time).join_from(UsageDay, Customer)
        return sorted(tuple(row) for row in session.execute(rows))


@pytest.fixture
def nobody_else_works(monkeypatch):
    """Nobody for whom a fill would have to pause."""
    monkeypatch.setattr(service, "_PAUSE_SECONDS", 0)


@pytest.fixture(scope="module")
def in_one_go(demo_company):
    """The reports, the payment links and the usage of a fill that nothing interrupted."""
    sessions = Sessions(connect(f"sqlite:///{demo_company('small', **SMALL)}"))
    yield reports(sessions), payment_links(sessions), usage(sessions)
    sessions.engine.dispose()


# Where a fill is cut off, in the order in which it comes there: the so-manieth call of a function.
PLACES = {
    "among the orders": (company, "add_orders", 2),
    "among the reports": (billing, "bill", 3),
    "among the subscriptions": (subscribed.signing_up, "subscribe", 2),
    "among the payment links": (paid_online, "create", 4),
    "among the months of usage": (metered, "_take_over", 2),
    "before the calls": (metered, "_record", 1),
    "before usage was billed": (metered.billing, "bill_many", 1),
    "among the late orders": (billing, "bill_again", 1),
}


@pytest.mark.later
def test_a_fill_that_is_cut_off_again_and_again_is_finished_as_if_it_had_not_been(
    sessions, in_one_go, nobody_else_works, monkeypatch
):
    accounts, begun_with = demo.new_accounts(), SMALL
    for place, (module, name, call) in PLACES.items():
        with monkeypatch.context() as patched:
            cut_off_at(patched, module, name, call)
            with pytest.raises(CutOff):
                demo.fill(sessions, SYSTEM, **begun_with, accounts=accounts)
        with sessions() as session:
            assert demo.unfinished(session), place
            assert session.scalars(select(User.id)).all() == [], f"nobody was told a password, {place}"
            assert [check.wrong for check in verification.checks(session) if check.wrong] == [], place
        # Another day and size: those that it was begun with count.
        begun_with = {"today": date(2027, 1, 5), "now": NOW}
    made = demo.fill(sessions, SYSTEM, **begun_with, accounts=accounts)

    assert (made.customers, made.orders, made.lines, made.reports) == (40, 200, 600, len(in_one_go[0]))
    assert len(in_one_go[1]) > PLACES["among the payment links"][2]
    assert (reports(sessions), payment_links(sessions), usage(sessions)) == in_one_go
    with sessions() as session:
        assert not demo.unfinished(session)
        assert [session.scalar(select(func.count()).select_from(table)) for table in (Order, OrderLine)] == [200, 600]
        assert len(session.scalars(select(User.id)).all()) == len(accounts)
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []
        assert [check.wrong for check in metering_verification.checks(session) if check.wrong] == []
        assert session.scalar(select(func.count()).where(UsageEvent.late)) == 12
    with pytest.raises(Conflict, match="already has customers"):
        demo.fill(sessions, SYSTEM, **SMALL)


@pytest.mark.later
def test_others_read_and_write_while_the_company_is_being_made(sessions, monkeypatch):
    billed, account = Event(), demo.new_accounts()[0]
    whole = billing.bill

    def bill(session, actor, bills):
        billed.set()
        whole(session, actor, bills)

    monkeypatch.setattr(billing, "bill", bill)
    with ThreadPoolExecutor(1) as pool:
        filling = pool.submit(demo.fill, sessions, SYSTEM, **SMALL)
        assert billed.wait(300)
        for number in range(3):
            with sessions.begin() as session:
                assert demo.unfinished(session), "the writer got its turn before the end"
                people.add_person(
                    session,
                    SYSTEM,
                    email=f"{number}@example.com",
                    name="Newcomer",
                    role=account.role,
                    password_hash=account.password_hash,
                    now=NOW,
                )
                assert session.scalar(select(func.count()).select_from(Customer)) == 40
        assert filling.result().orders == 200
    with sessions() as session:
        assert len(session.scalars(select(User.id)).all()) == 3


def test_a_company_that_lost_a_customer_is_not_finished(sessions, nobody_else_works, monkeypatch):
    with monkeypatch.context() as patched:
        cut_off_at(patched, billing, "bill", 1)
        with pytest.raises(CutOff):
            demo.fill(sessions, SYSTEM, **SMALL)
    with sessions.begin() as session:
        session.scalars(select(Customer).where(Customer.ref == "KAFFE")).one().ref = "OTHER"
    with pytest.raises(Conflict, match="cannot be finished"):
        demo.fill(sessions, SYSTEM, **SMALL)
