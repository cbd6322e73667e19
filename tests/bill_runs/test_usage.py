"""Runs over usage: each customer's period is billed once, by whoever works on it, and never 0 in silence."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from billing_core.bill_runs import from_usage, planning, rehearsal, taking
from billing_core.bill_runs.models import BillRunCustomer, RunGoal, RunOutcome, RunSource
from billing_core.bill_runs.overlapping import Overlapping
from billing_core.bill_runs.rehearsal import Change, CurrencyTotal
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Forbidden, Invalid
from billing_core.identity import SYSTEM, Actor, Permission
from billing_core.invoices import service
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.metering import withdrawal
from billing_core.metering.models import UsagePeriod
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.usage import billing
from tests.bill_runs.company import made, planned, rows, some_customers, worked_off
from tests.bill_runs.usage_company import metered_plan, over_usage, users, uses
from tests.database.counting import statements
from tests.online_payments.gateways import ScriptedGateway
from tests.reports.company import LATER, MARCH, NOW, a_customer

OVER = "API calls, Mar 1 – 31, 2026: used 5, included 3, 2 × 1.00 USD"
WITHIN = "Nothing to bill. API calls, Mar 1 – 31, 2026: used 3, included 3"
UNPLANNED = "1 of api_calls from 2026-03-01 to 2026-03-31 cannot be priced: it was on no plan"
_DRAFTING = {Permission.INVOICE_WRITE, Permission.INVOICE_READ, Permission.PAYMENT_WRITE}


@pytest.fixture
def company(sessions) -> list[int]:
    """Over: 2 calls beyond what is included. Within: none. Unplanned: a call on no plan."""
    with sessions.begin() as session:
        metered_plan(session)
        ids = users(session, {"Over": 5, "Within": 3})
        unplanned = a_customer(session, "UNPLANNED", name="Unplanned", email="ap@unplanned.example", priced=False)
        uses(session, unplanned, 1, planned=False)
        a_customer(session, "IDLE", name="Idle")
        return [*ids, unplanned]


def became(sessions, run_id) -> dict[str, tuple[RunOutcome, int | None, str]]:
    return {row.customer_name: (row.outcome, row.total_minor, row.reason) for row in rows(sessions, run_id)}


def test_each_gets_a_draft_or_its_explanation(sessions, company):
    over, within, _unplanned = company
    run_id = over_usage(sessions, tax_rate=Decimal(25))
    done = worked_off(sessions, run_id)

    assert (done.total, done.created, done.failed, done.drafts, done.sent, done.empty) == (3, 2, 1, 1, 0, 1)
    assert (done.billed, done.invoiced, done.uninvoiced) == ({"USD": 200}, {"USD": 250}, 1)
    assert became(sessions, run_id) == {
        "Over": (RunOutcome.CREATED, 200, ""),
        "Within": (RunOutcome.CREATED, 0, WITHIN),
        "Unplanned": (RunOutcome.FAILED, None, UNPLANNED),
    }
    assert made(sessions, company) == {"reports": {}, "invoices": {over: 1}, "mails": {}, "links": {}}
    with sessions() as session:
        assert session.scalars(select(Invoice.state)).all() == [InvoiceState.DRAFT]
        assert set(session.scalars(select(UsagePeriod.customer_id))) == {over, within}


@pytest.mark.parametrize("goal", [RunGoal.DRAFTS, RunGoal.REHEARSAL])
def test_customers_of_a_chunk_are_billed_together(sessions, company, goal, monkeypatch):
    alone, take = [], taking.take
    monkeypatch.setattr(taking, "take", lambda *facts: alone.append(take(*facts)) or alone[-1])
    done = worked_off(sessions, over_usage(sessions, goal=goal))
    assert (done.created, done.failed, done.waiting) == (2, 1, 0)
    assert alone == [None]


@pytest.mark.parametrize(
    ("goal", "sizes"), [(RunGoal.DRAFTS, [11]), (RunGoal.REHEARSAL, [11]), (RunGoal.SENT, [10, 1])]
)
def test_who_is_billed_together_is_in_larger_chunks(sessions, goal, sizes):
    with sessions.begin() as session:
        metered_plan(session)
        customers = users(session, dict.fromkeys(map(str, range(11)), 0))
    over_usage(sessions, customers, goal=goal)
    with sessions() as session:
        chunk = BillRunCustomer.chunk
        counted = select(func.count(BillRunCustomer.customer_id)).group_by(chunk).order_by(chunk)
        assert session.scalars(counted).all() == sizes


def test_where_one_of_them_fails_each_is_billed_by_itself(sessions, company):
    """No draft can be made for whoever has an address that is none."""
    with sessions.begin() as session:
        within = users(session, {"Faulty": 5})[0]
        session.get_one(Customer, within).email = "nowhere"
    run_id = over_usage(sessions)
    done = worked_off(sessions, run_id)
    assert (done.created, done.failed, done.drafts) == (2, 2, 1)
    outcome, _, reason = became(sessions, run_id)["Faulty"]
    assert (outcome, "email" in reason) == (RunOutcome.FAILED, True)
    with sessions() as session:
        assert within not in set(session.scalars(select(UsagePeriod.customer_id)))


@pytest.mark.parametrize(
    ("goal", "again"), [(RunGoal.REHEARSAL, False), (RunGoal.REHEARSAL, True), (RunGoal.DRAFTS, True)]
)
def test_many_who_are_told_of_together_take_as_many_statements_as_few(sessions, goal, again):
    """``again``: they are billed already."""
    with sessions.begin() as session:
        metered_plan(session)
        quiet = [a_customer(session, f"QUIET{n}", name=f"Quiet{n}", priced=False) for n in range(3)]
        kinds = [
            (one, *users(session, {f"Over{n}": 5, f"Within{n}": 2, f"Silent{n}": 0})) for n, one in enumerate(quiet)
        ]
    everybody = [customer_id for each in kinds for customer_id in each]
    if again:
        worked_off(sessions, over_usage(sessions, everybody))
    run_id = over_usage(sessions, everybody, goal=goal)
    counted = []
    for customer_ids in (kinds[0], everybody):
        with sessions.begin() as session:
            terms = taking.terms(session, run_id)
            with statements(session.get_bind()) as sent:
                told = from_usage.bill_together(session, terms, customer_ids, now=NOW)
            assert told.keys() == set(customer_ids)
            counted.append(len(sent))
    assert counted[0] == counted[1]


def test_who_was_on_a_plan_and_used_nothing_is_closed_too(sessions):
    with sessions.begin() as session:
        metered_plan(session)
        users(session, {"Silent": 0})
    run_id = over_usage(sessions)
    worked_off(sessions, run_id)
    words = "Nothing to bill. API calls, Mar 1 – 31, 2026: used 0, included 3"
    assert became(sessions, run_id) == {"Silent": (RunOutcome.CREATED, 0, words)}


def test_of_whom_nothing_is_known_nothing_is_billed(sessions, company):
    with sessions.begin() as session:
        quiet = a_customer(session, "QUIET", name="Quiet", priced=False)
    run_id = over_usage(sessions, [quiet])
    worked_off(sessions, run_id)
    assert became(sessions, run_id) == {"Quiet": (RunOutcome.CREATED, 0, from_usage.NOTHING_USED)}


@pytest.mark.parametrize("with_links", [False, True])
def test_sent_invoices_are_mailed_and_a_closed_period_is_not(sessions, company, with_links):
    over, gateway = company[0], ScriptedGateway()
    run_id = over_usage(sessions, goal=RunGoal.SENT, with_links=with_links)
    done = worked_off(sessions, run_id, gateway)

    assert (done.created, done.failed, done.drafts, done.sent) == (2, 1, 1, 1)
    links = {over: 1} if with_links else {}
    assert made(sessions, company) == {"reports": {}, "invoices": {over: 1}, "mails": {over: 1}, "links": links}
    assert [row.invoice_number for row in rows(sessions, run_id)] == ["INV-2026-001", None, None]


def test_a_second_run_finds_it_billed_and_names_the_invoice(sessions, company):
    first = over_usage(sessions)
    worked_off(sessions, first)
    second = over_usage(sessions, goal=RunGoal.SENT)
    done = worked_off(sessions, second)

    (draft,) = [row.invoice_id for row in rows(sessions, first) if row.invoice_id]
    assert (done.created, done.unchanged, done.failed, done.drafts, done.empty) == (0, 2, 1, 0, 0)
    assert became(sessions, second) == {
        "Over": (RunOutcome.UNCHANGED, 200, f"Billed already, on a draft (no. {draft})"),
        "Within": (RunOutcome.UNCHANGED, 0, WITHIN),
        "Unplanned": (RunOutcome.FAILED, None, UNPLANNED),
    }
    assert {row.customer_name: row.invoice_id for row in rows(sessions, second)}["Over"] == draft
    assert made(sessions, company)["mails"] == {}


def test_what_failed_is_billed_once_it_has_a_price(sessions, company):
    run_id = over_usage(sessions)
    worked_off(sessions, run_id)
    with sessions.begin() as session:
        plans.put_on(session, SYSTEM, company[2], "metered", valid_from=MARCH.start, now=LATER)
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    done = worked_off(sessions, run_id, now=LATER)
    assert (done.created, done.failed, done.empty) == (3, 0, 2)


def test_whoever_has_no_address_keeps_the_draft_and_is_sent_it_later(sessions, company):
    over = company[0]
    with sessions.begin() as session:
        session.get_one(Customer, over).email = ""
    run_id = over_usage(sessions, [over], goal=RunGoal.SENT)
    done = worked_off(sessions, run_id)
    assert (done.failed, done.drafts, done.sent) == (1, 1, 0)
    (failed,) = rows(sessions, run_id)
    assert failed.reason == "The invoice cannot be mailed: there is no e-mail address"

    with sessions.begin() as session:
        details = service.Details(customer_email="late@over.example")
        service.update_details(session, SYSTEM, failed.invoice_id, details, now=LATER, today=LATER.date())
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    again = worked_off(sessions, run_id, now=LATER)
    assert (again.created, again.failed, again.drafts, again.sent) == (1, 0, 1, 1)
    assert made(sessions, [over])["mails"] == {over: 1}


def test_what_was_discarded_meanwhile_is_made_anew(sessions, company):
    over = company[0]
    with sessions.begin() as session:
        session.get_one(Customer, over).email = ""
    run_id = over_usage(sessions, [over], goal=RunGoal.SENT)
    worked_off(sessions, run_id)
    with sessions.begin() as session:
        (failed,) = session.scalars(select(Invoice.id))
        service.discard(session, SYSTEM, failed, now=LATER)
        session.get_one(Customer, over).email = "ap@over.example"
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    again = worked_off(sessions, run_id, now=LATER)
    assert (again.created, again.sent, again.invoiced) == (1, 1, {"USD": 200})


def test_a_rehearsal_says_what_would_be_billed_and_makes_nothing(sessions, company):
    with sessions.begin() as session:
        uses(session, company[0], 4, on=date(2026, 2, 10))
        february = Period(date(2026, 2, 1), date(2026, 2, 28))
        run_id = planning.plan(
            session,
            SYSTEM,
            source=RunSource.USAGE,
            customer_ids=[company[0]],
            period=february,
            goal=RunGoal.DRAFTS,
            now=NOW,
        )
    worked_off(sessions, run_id)
    rehearsed = over_usage(sessions, goal=RunGoal.REHEARSAL)
    done = worked_off(sessions, rehearsed)

    assert (done.created, done.unchanged, done.failed, done.empty, done.questions) == (2, 0, 1, 1, 1)
    assert became(sessions, rehearsed) == {
        "Over": (RunOutcome.CREATED, 200, ""),
        "Within": (RunOutcome.CREATED, 0, WITHIN),
        "Unplanned": (RunOutcome.FAILED, None, UNPLANNED),
    }
    with sessions() as session:
        compared = rehearsal.page(session, SYSTEM, rehearsed, now=NOW)
        totals = rehearsal.totals(session, SYSTEM, rehearsed, now=NOW)
        assert session.scalar(select(func.count()).select_from(UsagePeriod)) == 1
        assert session.scalar(select(func.count()).select_from(Invoice)) == 1
    assert [(row.customer_name, row.change, row.total_minor, row.previous_total_minor) for row in compared] == [
        ("Unplanned", Change.OPEN, None, None),
        ("Over", Change.MORE, 200, 100),
        ("Within", Change.NEW, 0, None),
    ]
    assert totals == [CurrencyTotal("USD", 2, 200, 1, 100)]

    worked_off(sessions, over_usage(sessions))
    again = over_usage(sessions, goal=RunGoal.REHEARSAL)
    assert worked_off(sessions, again).unchanged == 2
    assert became(sessions, again)["Over"][2].startswith("Billed already, on a draft (no. ")


def test_what_came_late_alone_is_invoiced_and_mailed(sessions, company):
    """Two calls of February are told once it is billed; in March nothing is left to bill."""
    within = company[1]
    with sessions.begin() as session:
        uses(session, within, 3, on=date(2026, 2, 10))
        february = Period(date(2026, 2, 1), date(2026, 2, 28))
        billing.bill(session, SYSTEM, within, february, now=NOW, today=NOW.date())
        uses(session, within, 2, on=date(2026, 2, 11), planned=False)
    run_id = over_usage(sessions, [within], RunGoal.SENT)
    done = worked_off(sessions, run_id)

    assert (done.created, done.drafts, done.sent, done.empty, done.invoiced) == (1, 1, 1, 0, {"USD": 200})
    assert became(sessions, run_id) == {"Within": (RunOutcome.CREATED, 0, from_usage.LATE_ALONE)}
    assert made(sessions, [within])["mails"] == {within: 1}


@pytest.mark.parametrize("paid", [False, True])
def test_what_was_taken_back_is_credited_by_whoever_may_start_the_run(sessions, company, paid):
    over = company[0]
    with sessions.begin() as session:
        uses(session, over, 4, on=date(2026, 2, 10))
        february = Period(date(2026, 2, 1), date(2026, 2, 28))
        billed = billing.bill(session, SYSTEM, over, february, now=NOW, today=NOW.date())
        service.send(session, SYSTEM, billed.invoice_id, now=NOW)
        if paid:
            money = Received("USD", 100, PaymentMethod.CASH, NOW.date())
            received.record_for(session, SYSTEM, billed.invoice_id, received=money, today=NOW.date(), now=NOW)
        withdrawal.withdraw(session, SYSTEM, over, "2026-02-10-0", reason="By mistake", now=NOW)
    needed = planning.needed(RunSource.USAGE, RunGoal.DRAFTS)
    run_id = over_usage(sessions, [over], actor=Actor(5, "Mia", frozenset(needed)))
    assert (worked_off(sessions, run_id).created, became(sessions, run_id)["Over"][2]) == (1, "")
    with sessions() as session:
        credited = select(CreditNote.invoice_id, CreditNote.total_minor)
        assert [tuple(row) for row in session.execute(credited)] == [(billed.invoice_id, 100)]


def test_a_month_that_is_not_over_is_refused_to_each(sessions, company):
    with sessions.begin() as session:
        run_id = planning.plan(
            session,
            SYSTEM,
            source=RunSource.USAGE,
            customer_ids=company[:1],
            period=Period.month_of(NOW.date()),
            goal=RunGoal.DRAFTS,
            now=NOW,
        )
    worked_off(sessions, run_id)
    (row,) = rows(sessions, run_id)
    assert "is not over in" in row.reason


def test_usage_has_neither_reports_nor_services(sessions, company):
    with pytest.raises(Invalid, match="Usage has no reports"):
        over_usage(sessions, goal=RunGoal.REPORTS)
    with pytest.raises(Invalid, match="Usage is not limited to services"):
        over_usage(sessions, service_ids=[1])
    empty = Period(date(2020, 1, 1), date(2020, 1, 31))
    with pytest.raises(Invalid, match="No customer has usage to bill from"), sessions.begin() as session:
        planning.plan(
            session, SYSTEM, source=RunSource.USAGE, customer_ids=None, period=empty, goal=RunGoal.DRAFTS, now=NOW
        )


@pytest.mark.parametrize(
    ("goal", "more"),
    [
        (RunGoal.REHEARSAL, set()),
        (RunGoal.DRAFTS, _DRAFTING),
        (RunGoal.SENT, _DRAFTING | {Permission.INVOICE_SEND}),
    ],
)
def test_each_goal_needs_what_runs_need_and_to_see_usage_and_plans(sessions, company, goal, more):
    needed = {Permission.REPORT_GENERATE, Permission.USAGE_READ, Permission.PLAN_READ, *more}
    for missing in needed:
        with pytest.raises(Forbidden, match=missing.value):
            over_usage(sessions, company[:1], goal, actor=Actor(5, "Mia", frozenset(needed - {missing})))
    run_id = over_usage(sessions, company[:1], goal, actor=Actor(5, "Mia", frozenset(needed)))
    assert worked_off(sessions, run_id).failed == 0


def test_a_run_over_orders_does_not_stand_in_the_way_of_one_over_usage(sessions, company):
    with sessions.begin() as session:
        company += some_customers(session, 1)
    planned(sessions, company)
    first = over_usage(sessions, company)
    with pytest.raises(Overlapping) as refusal:
        over_usage(sessions, company)
    assert (refusal.value.run_id, refusal.value.is_same) == (first, True)
