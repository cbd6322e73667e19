"""What a run makes for each customer, by its goal."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select, update

from billing_core.bill_runs import from_orders, planning
from billing_core.bill_runs.models import RunGoal, RunOutcome
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import from_reports, service
from billing_core.invoices.from_reports import Grouping
from billing_core.invoices.models import Invoice, InvoiceLineItem, InvoiceState
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.mailing import service as mailing
from billing_core.orders.models import Order, OrderStatus
from billing_core.outbox.models import OutboxMessage
from billing_core.reports.models import BillingReport
from tests.bill_runs.company import made, planned, rows, some_customers, worked_off
from tests.online_payments.gateways import ScriptedGateway
from tests.reports.company import LATER, MARCH, NOW, an_order, billed

TODAY = date(2026, 4, 2)


@pytest.fixture
def company(sessions) -> list[int]:
    with sessions.begin() as session:
        return some_customers(session, 3)


def each(customer_ids, **counts):
    return {name: dict.fromkeys(customer_ids, 1) if count else {} for name, count in counts.items()}


def test_reports_stop_there(sessions, company):
    done = worked_off(sessions, planned(sessions))

    assert (done.total, done.created, done.drafts, done.sent, done.invoiced, done.running) == (3, 3, 0, 0, {}, False)
    assert made(sessions, company) == each(company, reports=1, invoices=0, mails=0, links=0)
    figures = {(row.total_minor, row.currency, row.order_count, row.question_count) for row in rows(sessions, 1)}
    assert figures == {(400, "USD", 1, 0)}


def test_drafts_have_the_lines_and_the_tax_that_the_run_was_given(sessions, company):
    run_id = planned(sessions, goal=RunGoal.DRAFTS, line_grouping=Grouping.TOTAL, tax_rate=Decimal(25))
    done = worked_off(sessions, run_id)

    assert (done.created, done.drafts, done.sent, done.invoiced) == (3, 3, 0, {"USD": 1_500})
    assert made(sessions, company) == each(company, reports=1, invoices=1, mails=0, links=0)
    with sessions() as session:
        assert session.scalars(select(Invoice.state).distinct()).all() == [InvoiceState.DRAFT]
        assert session.scalar(select(func.count()).select_from(InvoiceLineItem)) == 3
        ours = dict(session.execute(select(Invoice.customer_id, Invoice.id)).all())
    assert {row.customer_id: row.invoice_id for row in rows(sessions, run_id)} == ours


def test_sent_invoices_have_numbers_and_a_mail_each(sessions, company):
    done = worked_off(sessions, planned(sessions, goal=RunGoal.SENT))

    assert (done.created, done.failed, done.drafts, done.sent, done.invoiced) == (3, 0, 3, 3, {"USD": 1_200})
    assert made(sessions, company) == each(company, reports=1, invoices=1, mails=1, links=0)
    assert [row.invoice_number for row in rows(sessions, 1)] == ["INV-2026-001", "INV-2026-002", "INV-2026-003"]


def test_with_links_the_mail_says_where_to_pay(sessions, company):
    gateway = ScriptedGateway()
    done = worked_off(sessions, planned(sessions, goal=RunGoal.SENT, with_links=True), gateway)

    assert (done.created, done.failed, done.sent) == (3, 0, 3)
    assert made(sessions, company) == each(company, reports=1, invoices=1, mails=1, links=1)
    assert len(gateway.places) == 3
    with sessions() as session:
        assert set(session.scalars(select(PaymentLink.state))) == {LinkState.ACTIVE}
        assert all("/pay" in content["text"] for content in session.scalars(select(OutboxMessage.content)))


@pytest.mark.parametrize("with_links", [False, True])
def test_whoever_has_no_address_keeps_a_draft_and_a_reason(sessions, company, with_links):
    gateway = ScriptedGateway()
    with sessions.begin() as session:
        session.execute(update(Customer).where(Customer.id == company[0]).values(email=""))
    run_id = planned(sessions, goal=RunGoal.SENT, with_links=with_links)
    done = worked_off(sessions, run_id, gateway)

    assert (done.created, done.failed, done.drafts, done.sent) == (2, 1, 3, 2)
    (failed,) = rows(sessions, run_id, outcome=RunOutcome.FAILED)
    assert (failed.customer_id, failed.reason) == (
        company[0],
        "The invoice cannot be mailed: there is no e-mail address",
    )
    assert made(sessions, company)["mails"] == dict.fromkeys(company[1:], 1)
    assert len(gateway.places) == (2 if with_links else 0)

    with sessions.begin() as session:
        draft = session.get_one(Invoice, failed.invoice_id)
        assert draft.state is InvoiceState.DRAFT
        details = service.Details(customer_email="late@acme.example")
        service.update_details(session, SYSTEM, draft.id, details, now=LATER, today=TODAY)
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    again = worked_off(sessions, run_id, gateway, now=LATER)

    assert (again.created, again.failed, again.drafts, again.sent) == (3, 0, 3, 3)
    assert made(sessions, company) == each(company, reports=1, invoices=1, mails=1, links=with_links)


def test_a_report_that_is_invoiced_stays_as_it_is_and_names_the_invoice(sessions, company):
    with sessions.begin() as session:
        report = billed(session, company[0])
        facts = {"now": NOW, "today": TODAY}
        draft = from_reports.draft_from_report(session, SYSTEM, report.id, **facts)
        service.send(session, SYSTEM, draft.id, now=NOW)
    run_id = planned(sessions, goal=RunGoal.SENT)
    done = worked_off(sessions, run_id)

    assert (done.created, done.unchanged, done.failed, done.drafts) == (2, 1, 0, 2)
    (unchanged,) = rows(sessions, run_id, outcome=RunOutcome.UNCHANGED)
    assert (unchanged.customer_id, unchanged.invoice_id) == (company[0], None)
    assert unchanged.reason == f"Report {report.id} is on invoice INV-2026-001 already"
    assert made(sessions, company)["invoices"] == dict.fromkeys(company, 1)


def test_a_changed_report_whose_former_version_is_invoiced_has_no_second_invoice(sessions, company):
    with sessions.begin() as session:
        report = billed(session, company[0])
        from_reports.draft_from_report(session, SYSTEM, report.id, now=NOW, today=TODAY)
        an_order(session, company[0], "SO-LATE", items=2)
    run_id = planned(sessions, goal=RunGoal.DRAFTS)
    done = worked_off(sessions, run_id)

    assert (done.created, done.failed) == (2, 1)
    (failed,) = rows(sessions, run_id, outcome=RunOutcome.FAILED)
    assert (failed.customer_id, failed.total_minor, failed.invoice_id) == (company[0], 700, None)
    assert failed.reason == (
        "The report has changed, and its version 1 is on a draft (no. 1): settle the difference there, or invoice the "
        "new report by hand"
    )
    assert made(sessions, company) == each(company, reports=1, invoices=1, mails=0, links=0)


def test_a_report_of_nothing_makes_no_invoice(sessions, company):
    with sessions.begin() as session:
        billed(session, company[0])
        session.execute(update(Order).where(Order.customer_id == company[0]).values(status=OrderStatus.CANCELLED))
    run_id = planned(sessions, [company[0]], goal=RunGoal.SENT)
    done = worked_off(sessions, run_id)

    (row,) = rows(sessions, run_id)
    assert (row.outcome, row.total_minor, row.invoice_id, row.reason) == (
        RunOutcome.CREATED,
        0,
        None,
        from_orders.NOTHING_TO_INVOICE,
    )
    assert (done.failed, made(sessions, company)["invoices"]) == (0, {})


def test_a_refused_draft_leaves_the_report(sessions, company, monkeypatch):
    def refuse(*_arguments, **_facts):
        raise Conflict("The draft has too many lines")

    monkeypatch.setattr(from_reports, "draft_many", refuse)
    run_id = planned(sessions, goal=RunGoal.DRAFTS)
    done = worked_off(sessions, run_id)

    assert (done.failed, {row.reason for row in rows(sessions, run_id)}) == (3, {"The draft has too many lines"})
    assert made(sessions, company) == each(company, reports=1, invoices=0, mails=0, links=0)

    monkeypatch.undo()
    with sessions.begin() as session:
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    again = worked_off(sessions, run_id, now=LATER)
    # This run made the reports, although the second try found them.
    assert (again.created, again.unchanged, again.drafts) == (3, 0, 3)


def test_what_was_cancelled_meanwhile_is_made_anew(sessions, company):
    run_id = planned(sessions, [company[0]], goal=RunGoal.SENT, with_links=True)
    gateway = ScriptedGateway()
    gateway.fails = ["refuse"]
    assert worked_off(sessions, run_id, gateway).failed == 1
    (failed,) = rows(sessions, run_id)
    assert failed.reason == "The account cannot take this currency"
    with sessions.begin() as session:
        service.discard(session, SYSTEM, failed.invoice_id, now=LATER)
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)

    again = worked_off(sessions, run_id, gateway, now=LATER)

    assert (again.created, again.sent) == (1, 1)
    assert made(sessions, company[:1])["mails"] == {company[0]: 1}


def test_what_somebody_sent_by_hand_meanwhile_is_not_mailed_again(sessions, company):
    run_id = planned(sessions, [company[0]], goal=RunGoal.SENT, with_links=True)
    gateway = ScriptedGateway()
    gateway.fails = ["down"]
    assert worked_off(sessions, run_id, gateway).failed == 1
    (failed,) = rows(sessions, run_id)
    with sessions.begin() as session:
        mailing.send_many(session, SYSTEM, [failed.invoice_id], now=LATER, today=TODAY)
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)

    again = worked_off(sessions, run_id, gateway, now=LATER)

    assert (again.created, again.sent) == (1, 1)
    assert made(sessions, company[:1]) == each(company[:1], reports=1, invoices=1, mails=1, links=1)


def test_a_rehearsal_keeps_figures_and_makes_nothing(sessions, company):
    with sessions.begin() as session:
        report = billed(session, company[0])
        draft = from_reports.draft_from_report(session, SYSTEM, report.id, now=NOW, today=TODAY)
    run_id = planned(sessions, goal=RunGoal.REHEARSAL)
    done = worked_off(sessions, run_id)

    assert (done.created, done.unchanged, done.drafts) == (2, 1, 0)
    assert [(row.total_minor, row.order_count, row.report_id, row.reason) for row in rows(sessions, run_id)] == [
        (400, 1, report.id, f"Invoiced already, on a draft (no. {draft.id})"),
        (400, 1, None, ""),
        (400, 1, None, ""),
    ]
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(BillingReport)) == 1
        assert session.scalar(select(func.count()).select_from(Invoice)) == 1


def test_a_rehearsal_counts_what_would_be_billed_twice(sessions, company):
    """Handling and picking of the one order are on the report of the week, too."""
    with sessions.begin() as session:
        billed(session, company[0], Period(date(2026, 3, 9), date(2026, 3, 15)))
    rehearsed = worked_off(sessions, planned(sessions, company[:2], goal=RunGoal.REHEARSAL))
    assert rehearsed.twice == 2


def test_a_rehearsal_says_of_an_order_of_another_month_on_which_invoice_it_is(sessions, company):
    """The order of March, with handling and picking, moves to April."""
    worked_off(sessions, planned(sessions, company[:1], goal=RunGoal.DRAFTS))
    with sessions.begin() as session:
        moved = update(Order).where(Order.customer_id == company[0]).values(order_date=date(2026, 4, 1))
        session.execute(moved)
        april = Period(date(2026, 4, 1), date(2026, 4, 30))
        terms = {"customer_ids": company[:1], "period": april, "goal": RunGoal.REHEARSAL}
        run_id = planning.plan(session, SYSTEM, **terms, now=LATER)
    assert worked_off(sessions, run_id, now=LATER).twice == 2
    (row,) = rows(sessions, run_id)
    assert "is billed on a draft (no. 1) already (2 charges of this report, 4.00 USD)" in row.reason


def test_what_another_report_has_on_an_invoice_is_not_billed_again(sessions, company):
    """The month is invoiced; then somebody runs over its first half."""
    worked_off(sessions, planned(sessions, goal=RunGoal.DRAFTS))
    with sessions.begin() as session:
        half = Period(MARCH.start, date(2026, 3, 15))
        run_id = planning.plan(session, SYSTEM, customer_ids=None, period=half, goal=RunGoal.SENT, now=LATER)
    done = worked_off(sessions, run_id, now=LATER)

    assert (done.created, done.failed, done.sent) == (0, 3, 0)
    # An order of each customer, with handling and picking.
    reasons = [row.reason for row in rows(sessions, run_id)]
    assert all("is billed on a draft (no. " in reason for reason in reasons)
    assert all("already (2 charges of this report, 4.00 USD): look at this one" in reason for reason in reasons)
    assert made(sessions, company)["invoices"] == dict.fromkeys(company, 1)


def test_a_report_that_nobody_invoiced_does_not_stand_in_the_way(sessions, company):
    worked_off(sessions, planned(sessions))
    with sessions.begin() as session:
        half = Period(MARCH.start, date(2026, 3, 15))
        run_id = planning.plan(session, SYSTEM, customer_ids=None, period=half, goal=RunGoal.SENT, now=LATER)
    assert worked_off(sessions, run_id, now=LATER).sent == 3
