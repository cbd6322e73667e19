"""Runs over usage deal with what came late for earlier periods, and a rehearsal says what they will do, to the cent."""

from datetime import date
from decimal import Decimal

import hypothesis
import pytest
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_core.bill_runs import from_usage, planning, rehearsal
from billing_core.bill_runs.models import RunGoal, RunOutcome, RunSource
from billing_core.bill_runs.rehearsal import CurrencyTotal
from billing_core.businesses.models import Business
from billing_core.commands import verify
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.metering import withdrawal
from billing_core.metering.models import LateUsage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.usage import billing, late
from tests.bill_runs.company import made, planned, rows, worked_off, worked_off_in_spite_of
from tests.bill_runs.test_killed import dying_at
from tests.bill_runs.usage_company import metered_plan, users, uses
from tests.online_payments.gateways import ScriptedGateway
from tests.reports.company import LATER, NOW, a_customer

TODAY = NOW.date()
MONTHS = Period(date(2026, 1, 1), date(2026, 1, 31)), Period(date(2026, 2, 1), date(2026, 2, 28))
# More than the statements that one customer takes: some kills come too late to hit anybody.
_STATEMENTS = 220


@pytest.fixture
def plan(sessions) -> str:
    with sessions.begin() as session:
        return metered_plan(session)


def run_over(sessions, customer_ids, goal=RunGoal.DRAFTS, **options) -> int:
    return planned(sessions, customer_ids, source=RunSource.USAGE, goal=goal, **options)


def as_set(sessions, way: LateUsage) -> None:
    with sessions.begin() as session:
        for business in session.scalars(select(Business)):
            business.late_usage = way.value
            business.late_usage_reason = "A gift" if way is LateUsage.WAIVE else ""


def billed(session, customer_id, month, calls) -> int | None:
    """So many calls on the tenth of that month, which are billed: the draft, if they come to anything."""
    uses(session, customer_id, calls, on=month.start.replace(day=10))
    return billing.bill(session, SYSTEM, customer_id, month, now=NOW, today=TODAY).invoice_id


def came_late(session, customer_id, month, calls) -> None:
    uses(session, customer_id, calls, on=month.start.replace(day=11), planned=False)


def taken_back(session, customer_id, month, number) -> None:
    event_id = f"{month.start.replace(day=10)}-{number}"
    withdrawal.withdraw(session, SYSTEM, customer_id, event_id, reason="By mistake", now=NOW)


def late_and_over(sessions) -> int:
    """A customer with two calls to bill in March, two that came late for February, and one too many there."""
    with sessions.begin() as session:
        (customer_id,) = users(session, {"Over": 5})
        service.send(session, SYSTEM, billed(session, customer_id, MONTHS[0], 4), now=NOW)
        billed(session, customer_id, MONTHS[1], 3)
        came_late(session, customer_id, MONTHS[1], 2)
        taken_back(session, customer_id, MONTHS[0], 0)
    return customer_id


@pytest.mark.parametrize("way", LateUsage)
def test_a_rehearsal_tells_what_came_late_and_what_would_be_credited(sessions, plan, way):
    customer_id = late_and_over(sessions)
    as_set(sessions, way)
    rehearsed = run_over(sessions, [customer_id], RunGoal.REHEARSAL)
    worked_off(sessions, rehearsed)
    (row,) = rows(sessions, rehearsed)
    late_minor, credited = (0, 0) if way is LateUsage.WAIVE else (200, 100)
    assert (row.total_minor, row.late_minor, row.credited_minor) == (200, late_minor, credited)
    with sessions() as session:
        totals = rehearsal.totals(session, SYSTEM, rehearsed, now=NOW)
        assert session.scalar(select(func.count()).select_from(Invoice)) == 1
    assert totals == [CurrencyTotal("USD", 1, 200, 1, 0, late_minor, credited)]
    assert totals[0].on_invoices_minor == 200 + late_minor


def test_a_run_over_all_takes_those_in_who_have_left_with_late_usage(sessions, plan):
    with sessions.begin() as session:
        (here,) = users(session, {"Here": 4})
        left, settled = (a_customer(session, name, priced=False) for name in ("LEFT", "SETTLED"))
        for customer_id in (left, settled):
            billed(session, customer_id, MONTHS[1], 4)
            plans.take_off(session, SYSTEM, customer_id, valid_from=date(2026, 3, 1), now=NOW)
        came_late(session, left, MONTHS[1], 2)
    for goal in (RunGoal.REHEARSAL, RunGoal.DRAFTS):
        run_id = run_over(sessions, None, goal)
        worked_off(sessions, run_id)
        found = {row.customer_id: (row.total_minor, row.late_minor) for row in rows(sessions, run_id)}
        assert found == {here: (100, 0), left: (0, 200)}


@pytest.mark.parametrize("with_links", [False, True])
def test_late_usage_on_a_document_of_its_own_is_sent_too(sessions, plan, with_links):
    customer_id = late_and_over(sessions)
    as_set(sessions, LateUsage.OWN_DOCUMENT)
    run_id = run_over(sessions, [customer_id], RunGoal.SENT, with_links=with_links)
    done = worked_off(sessions, run_id, ScriptedGateway())
    assert (done.created, done.failed, done.drafts, done.sent, done.uninvoiced) == (1, 0, 2, 2, 0)
    assert done.invoiced == {"USD": 400}
    (row,) = rows(sessions, run_id)
    with sessions() as session:
        subtotals = [queries.one(session, SYSTEM, one).subtotal_minor for one in (row.invoice_id, row.late_invoice_id)]
    assert (subtotals, row.late_invoice_number is not None) == ([200, 200], True)
    links = {customer_id: 2} if with_links else {}
    assert made(sessions, [customer_id]) == {
        "reports": {},
        # That of January was credited whole.
        "invoices": {customer_id: 2},
        "mails": {customer_id: 2},
        "links": links,
    }


def test_what_is_on_its_own_document_alone_is_the_runs_invoice(sessions, plan):
    with sessions.begin() as session:
        (customer_id,) = users(session, {"Quiet": 3})
        billed(session, customer_id, MONTHS[1], 3)
        came_late(session, customer_id, MONTHS[1], 2)
    as_set(sessions, LateUsage.OWN_DOCUMENT)
    run_id = run_over(sessions, [customer_id], RunGoal.SENT)
    done = worked_off(sessions, run_id)
    assert (done.drafts, done.sent, done.empty, done.invoiced) == (1, 1, 0, {"USD": 200})
    (row,) = rows(sessions, run_id)
    assert (row.total_minor, row.late_minor, row.late_invoice_id) == (0, 200, None)
    assert row.reason == from_usage.LATE_ALONE


def test_neither_is_mailed_without_an_address_and_both_are_afterwards(sessions, plan):
    customer_id = late_and_over(sessions)
    as_set(sessions, LateUsage.OWN_DOCUMENT)
    with sessions.begin() as session:
        session.get_one(Customer, customer_id).email = ""
    run_id = run_over(sessions, [customer_id], RunGoal.SENT)
    done = worked_off(sessions, run_id)
    assert (done.failed, done.drafts, done.sent) == (1, 2, 0)
    (failed,) = rows(sessions, run_id)
    assert failed.reason == "The invoice cannot be mailed: there is no e-mail address"
    with sessions.begin() as session:
        for invoice_id in (failed.invoice_id, failed.late_invoice_id):
            details = service.Details(customer_email="late@over.example")
            service.update_details(session, SYSTEM, invoice_id, details, now=LATER, today=LATER.date())
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    again = worked_off(sessions, run_id, now=LATER)
    assert (again.created, again.failed, again.drafts, again.sent) == (1, 0, 2, 2)


def test_a_discarded_draft_is_made_anew_beside_the_document_that_stands(sessions, plan):
    customer_id = late_and_over(sessions)
    as_set(sessions, LateUsage.OWN_DOCUMENT)
    with sessions.begin() as session:
        session.get_one(Customer, customer_id).email = ""
    run_id = run_over(sessions, [customer_id], RunGoal.SENT)
    worked_off(sessions, run_id)
    (failed,) = rows(sessions, run_id)
    with sessions.begin() as session:
        service.discard(session, SYSTEM, failed.invoice_id, now=LATER)
        session.get_one(Customer, customer_id).email = "ap@over.example"
        details = service.Details(customer_email="ap@over.example")
        service.update_details(session, SYSTEM, failed.late_invoice_id, details, now=LATER, today=LATER.date())
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    again = worked_off(sessions, run_id, now=LATER)
    (row,) = rows(sessions, run_id)
    assert (again.sent, again.invoiced, row.late_invoice_id) == (2, {"USD": 400}, failed.late_invoice_id)


@pytest.mark.drawn
@pytest.mark.slow
def test_a_process_dies_before_any_statement_whatsoever(sessions, plan):
    """New customers for each example, in one database."""
    examples = iter(range(100))
    as_set(sessions, LateUsage.OWN_DOCUMENT)

    @hypothesis.settings(max_examples=6, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    @hypothesis.given(statements=st.lists(st.integers(0, _STATEMENTS), max_size=4), with_links=st.booleans())
    def goes_on(statements, with_links):
        with sessions.begin() as session:
            (customer_id,) = users(session, {f"R{next(examples)}": 5})
            billed(session, customer_id, MONTHS[1], 3)
            came_late(session, customer_id, MONTHS[1], 2)
        run_id = run_over(sessions, [customer_id], RunGoal.SENT, with_links=with_links)
        gateway = ScriptedGateway()
        with dying_at(sessions, statements):
            done = worked_off_in_spite_of(sessions, run_id, gateway)
        assert worked_off(sessions, run_id, gateway) == done
        assert (done.created, done.sent, done.failed, done.running) == (1, 2, 0, False)
        two, links = {customer_id: 2}, {customer_id: 2} if with_links else {}
        assert made(sessions, [customer_id]) == {"reports": {}, "invoices": two, "mails": two, "links": links}

    goes_on()
    with sessions() as session:
        assert [check for check in verify.checks(session) if check.wrong] == []


months = st.fixed_dictionaries(
    {
        "calls": st.integers(0, 6),
        "then": st.sampled_from(["draft", "sent", "paid"]),
        "late": st.integers(0, 3),
        "withdrawn": st.sets(st.integers(0, 5), max_size=3),
    }
)
histories = st.lists(st.tuples(st.tuples(months, months), st.integers(0, 5)), min_size=1, max_size=3)


def lived(session, name, before, calls) -> int:
    """A customer with its months before March, each with what came late for it and was taken back from it."""
    (customer_id,) = users(session, {name: calls})
    for month, facts in zip(MONTHS, before, strict=True):
        invoice_id = billed(session, customer_id, month, facts["calls"])
        if invoice_id is not None and facts["then"] != "draft":
            sent = service.send(session, SYSTEM, invoice_id, now=NOW)
            if facts["then"] == "paid":
                money = Received("USD", sent.due_minor, PaymentMethod.CASH, TODAY)
                received.record_for(session, SYSTEM, invoice_id, received=money, today=TODAY, now=NOW)
    for month, facts in zip(MONTHS, before, strict=True):
        came_late(session, customer_id, month, facts["late"])
        for number in facts["withdrawn"]:
            if number < facts["calls"]:
                taken_back(session, customer_id, month, number)
    return customer_id


@pytest.mark.drawn
@pytest.mark.slow
def test_a_rehearsal_says_what_the_run_makes_to_the_cent(sessions, plan):
    names = (f"H{number}" for number in range(10_000))

    @hypothesis.settings(max_examples=8, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    @hypothesis.given(
        given=histories,
        way=st.sampled_from(LateUsage),
        wanted=st.lists(st.sampled_from([None, LateUsage.NEXT_INVOICE, LateUsage.OWN_DOCUMENT]), max_size=8),
        tax_rate=st.sampled_from([Decimal(0), Decimal(19)]),
    )
    def any_history(given, way, wanted, tax_rate):
        as_set(sessions, way)
        with sessions.begin() as session:
            ids = [lived(session, next(names), before, calls) for before, calls in given]
            items = [one.id for of in ids for one in late.items(session, SYSTEM, customer_id=of, open_only=True)]
            for item_id, one in zip(items, wanted, strict=False):
                if one is not None:
                    late.want(session, SYSTEM, [item_id], one, now=NOW)
            before = set(invoices_of(session, ids)), credited(session, ids)
        rehearsed = run_over(sessions, ids, RunGoal.REHEARSAL)
        worked_off(sessions, rehearsed)
        with sessions() as session:
            assert (set(invoices_of(session, ids)), credited(session, ids)) == before
            (total,) = rehearsal.totals(session, SYSTEM, rehearsed, now=NOW)
        run_id = run_over(sessions, ids, tax_rate=tax_rate)
        worked_off(sessions, run_id)
        assert [said(row) for row in rows(sessions, rehearsed)] == [said(row) for row in rows(sessions, run_id)]
        with sessions() as session:
            drafts = {id_: net for id_, net in invoices_of(session, ids).items() if id_ not in before[0]}
            assert sum(drafts.values()) == total.on_invoices_minor
            assert credited(session, ids) - before[1] == total.credited_minor
        made_by_run = {one for row in rows(sessions, run_id) for one in (row.invoice_id, row.late_invoice_id) if one}
        assert made_by_run == set(drafts)

    any_history()


def said(row) -> tuple[str, RunOutcome, str, int | None, int | None, int | None]:
    return row.customer_name, row.outcome, row.reason, row.total_minor, row.late_minor, row.credited_minor


def invoices_of(session, customer_ids) -> dict[int, int]:
    """What each comes to before tax, in cents, by its id."""
    found = select(Invoice.id, Invoice.subtotal_minor).where(Invoice.customer_id.in_(customer_ids))
    return dict(session.execute(found).all())


def credited(session, customer_ids) -> int:
    found = select(func.coalesce(func.sum(CreditNote.subtotal_minor), 0)).join(
        Invoice, Invoice.id == CreditNote.invoice_id
    )
    return int(session.scalar(found.where(Invoice.customer_id.in_(customer_ids))))
