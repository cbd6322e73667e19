"""Making the invoices of a month's usage on its page: rehearsed, made, watched, and what became of each."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.bill_runs.models import BillRun, RunGoal, RunSource
from billing_core.businesses.models import Business
from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import service
from billing_core.invoices.models import Invoice
from billing_core.jobs import bill_run, bill_run_work
from billing_core.metering import ingestion
from billing_core.metering.models import LateUsage
from billing_core.plans import service as plans
from billing_core.usage import billing
from pages.ui import formats
from tests.pages.bill_runs.states import planned
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import a_plan, terms
from tests.reports.company import a_customer

pytestmark = pytest.mark.slow

HOSTILE = "Over :red[$5 *Corp*]"


@pytest.fixture
def begun(monkeypatch) -> list[int]:
    """The runs that the page has had begun. Nobody works on them."""
    runs: list[int] = []
    monkeypatch.setattr(bill_run, "begin", runs.append)
    return runs


@pytest.fixture
def month() -> Period:
    return Period.last_month(utc_now().date())


@pytest.fixture
def organizations(sessions, begun, month) -> dict[str, int]:
    """In the last full month OVER used 2 calls beyond what is included, WITHIN none, and UNPLANNED one on no plan."""
    with sessions.begin() as session:
        over = a_customer(session, "OVER", name=HOSTILE, email="ap@over.example", priced=False)
        within = a_customer(session, "WITHIN", name="Within Inc", priced=False)
        unplanned = a_customer(session, "UNPLANNED", name="Unplanned Ltd", priced=False)
        plan = a_plan(session, "small", terms(3, "1"))
        for customer in (over, within):
            plans.put_on(session, SYSTEM, customer, plan, valid_from=month.start, now=utc_now())
        noon = datetime.combine(month.start + timedelta(days=9), time(12), tzinfo=UTC)
        for ref, calls in (("OVER", 5), ("WITHIN", 3), ("UNPLANNED", 1)):
            events = [
                {"id": f"{number}", "customer_ref": ref, "time": (noon + timedelta(seconds=number)).isoformat()}
                for number in range(calls)
            ]
            ingestion.record(session, SYSTEM, events, now=utc_now(), atomic=True)
    return {"over": over, "within": within, "unplanned": unplanned}


def making(visitor, **query):
    page = visitor.visit("usage.py", usage_list="Invoices", **query)
    assert not page.exception
    return page


def worked_off(sessions, monkeypatch, run_id: int) -> None:
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    bill_run_work.run_here(run_id)


def keys(page) -> set[str]:
    return {button.key for button in page.button}


def said(page) -> str:
    """All words of the page, with plain blanks."""
    drawn = [*page.markdown, *page.caption, *page.info, *page.warning, *page.error, *page.success, *page.subheader]
    return "\n".join(one.value for one in drawn).replace(formats.NO_BREAK_SPACE, " ")


def table(page) -> list[dict[str, Any]]:
    (found,) = page.dataframe
    return list(found.value.to_dict("records"))


def choose(page, goal: str):
    (control,) = [one for one in page.button_group if one.key in ("making_goal", "real_goal")]
    control.set_value(goal).run()
    return page


@EVERY_ROLE
def test_each_role_is_offered_what_it_may_start(page_as, organizations, role):
    page = making(page_as(role))
    offered = [option for one in page.button_group if one.key == "making_goal" for option in one.options]
    assert (
        offered
        == {
            "finance": [],
            "manager": ["Rehearse"],
            "admin": ["Rehearse", "Draft invoices", "Send invoices"],
        }[role]
    )
    assert ("making_start" in keys(page)) == (role != "finance")


def test_the_last_full_month_is_proposed_with_everybody_who_used_something(page_as, organizations, month):
    page = making(page_as("manager"))
    period = formats.period(month).replace(formats.NO_BREAK_SPACE, " ")
    assert f"**3 customers** used something in {period}, or were on a plan" in said(page)
    assert page.selectbox(key="making_month").value == f"{month.start:%Y-%m}"

    page.selectbox(key="making_month").set_value(f"{month.before().start:%Y-%m}").run()
    assert not page.exception
    assert page.query_params["making_month"] == f"{month.before().start:%Y-%m}"

    page = making(page_as("manager"), making_month=formats.month(month.before().start))
    assert "Nobody has anything to bill in" in said(page)
    assert page.button(key="making_start").disabled


def test_chosen_organizations_alone_are_drafted(page_as, sessions, organizations, month, begun, monkeypatch):
    page = making(page_as("admin"))
    page.multiselect(key="making_customers").set_value([organizations["over"]]).run()
    choose(page, "Draft invoices")
    assert "making_lines" not in {box.key for box in page.selectbox}
    page.text_input(key="making_tax").set_value("25").run()
    page.button(key="making_start").click().run()

    assert not page.exception
    (run_id,) = begun
    with sessions() as session:
        run = session.get_one(BillRun, run_id)
        assert (run.source, run.goal, run.all_customers, run.tax_rate) == (RunSource.USAGE, RunGoal.DRAFTS, False, 25)
        assert (run.period_start, run.period_end) == (month.start, month.end)
    assert "Draft invoices of usage for" in said(page)

    worked_off(sessions, monkeypatch, run_id)
    page = making(page_as("admin"), run=str(run_id))
    figures = {one.label: one.value for one in page.metric}
    assert (figures["Drafts"], figures["Closed with nothing"], figures["Invoiced, USD"]) == ("1", "0", "2.50")


def test_what_became_of_each_is_said_and_leads_to_its_draft(page_as, sessions, organizations, month, monkeypatch):
    run_id = planned(sessions, source=RunSource.USAGE, goal=RunGoal.DRAFTS, period=month)
    worked_off(sessions, monkeypatch, run_id)
    page = making(page_as("admin"), run=str(run_id))

    assert "Done, except for 1 customer who failed" in said(page)
    rows = {row["Customer"]: row for row in table(page)}
    assert {name: row["Outcome"] for name, row in rows.items()} == {
        HOSTILE: ["New"],
        "Within Inc": ["Closed"],
        "Unplanned Ltd": ["Failed"],
    }
    assert rows["Within Inc"]["Reason"].startswith("Nothing to bill. API calls, ")
    assert rows["Unplanned Ltd"]["Reason"].endswith("cannot be priced: it was on no plan")
    assert "Draft" in rows[HOSTILE]["Invoice"]
    assert "Report" not in rows[HOSTILE]
    assert "1 customer got no invoice from this run: their usage comes to 0, or is billed already." in said(page)


def test_what_came_late_is_told_in_a_rehearsal_and_a_run_leads_to_its_document(
    page_as, sessions, organizations, month, monkeypatch
):
    before = month.before()
    with sessions.begin() as session:
        for business in session.scalars(select(Business)):
            business.late_usage = LateUsage.OWN_DOCUMENT.value
        customer, noon = organizations["over"], datetime.combine(before.start, time(12), tzinfo=UTC)
        plans.put_on(session, SYSTEM, customer, "small", valid_from=before.start, now=utc_now())

        def calls(name, count):
            events = [{"id": f"{name}{n}", "customer_ref": "OVER", "time": noon.isoformat()} for n in range(count)]
            ingestion.record(session, SYSTEM, events, now=utc_now(), atomic=True)

        calls("in time", 4)
        billed = billing.bill(session, SYSTEM, customer, before, now=utc_now(), today=utc_now().date())
        service.send(session, SYSTEM, billed.invoice_id, now=utc_now())
        calls("late", 3)
    only = {"customer_ids": [customer], "source": RunSource.USAGE, "period": month}
    rehearsal = planned(sessions, goal=RunGoal.REHEARSAL, **only)
    worked_off(sessions, monkeypatch, rehearsal)
    page = making(page_as("manager"), run=str(rehearsal))
    figures = {one.label: one.value for one in page.metric}
    told = (figures["Would be billed, USD"], figures["Late usage, USD"], figures["On invoices, USD"])
    assert told == ("2.00", "3.00", "5.00")
    assert [row["Late usage"] for row in table(page)] == ["3.00"]

    run_id = planned(sessions, goal=RunGoal.DRAFTS, **only)
    worked_off(sessions, monkeypatch, run_id)
    page = making(page_as("admin"), run=str(run_id))
    (row,) = table(page)
    assert (row["Late usage"], "Draft" in row["Late usage alone"]) == ("3.00", True)
    figures = {one.label: one.value for one in page.metric}
    assert (figures["Drafts"], figures["Invoiced, USD"]) == ("2", "5.00")


def test_a_rehearsal_says_what_would_be_made_and_starts_it(page_as, sessions, organizations, month, begun, monkeypatch):
    page = making(page_as("admin"))
    page.button(key="making_start").click().run()
    (rehearsal,) = begun
    worked_off(sessions, monkeypatch, rehearsal)
    page = making(page_as("admin"), run=str(rehearsal))

    figures = {one.label: one.value for one in page.metric}
    assert (figures["Would be billed, USD"], figures["To bill"], figures["Nothing to bill"], figures["Failed"]) == (
        "2.00",
        "1",
        "1",
        "1",
    )
    rows = {row["Customer"]: row for row in table(page)}
    assert rows["Unplanned Ltd"]["Note"].endswith("cannot be priced: it was on no plan")
    assert "Orders" not in rows[HOSTILE]
    with sessions() as session:
        assert session.scalars(select(Invoice.id)).all() == []

    page.button(key="real_start").click().run()
    assert not page.exception
    real = begun[-1]
    with sessions() as session:
        assert session.get_one(BillRun, real).goal is RunGoal.DRAFTS
    worked_off(sessions, monkeypatch, real)
    with sessions() as session:
        assert session.scalars(select(Invoice.customer_id)).all() == [organizations["over"]]


def test_runs_are_listed_where_they_were_started(page_as, sessions, organizations, month):
    planned(sessions, source=RunSource.USAGE, goal=RunGoal.DRAFTS, period=month)
    page = making(page_as("finance"))
    assert [row["What"] for row in table(page)] == ["Draft invoices"]
    assert "Billed before" in table(page)[0]
    page = page_as("finance").visit("reports.py", tab="Generate")
    assert not page.dataframe
    # What needs attention leads there, whatever it bills.
    page = page_as("finance").visit("reports.py", tab="Generate", run="1")
    assert "Draft invoices of usage for" in said(page)


def test_another_page_opens_while_the_address_names_a_tab(page_as, organizations):
    for page, filtered, label in (
        ("usage.py", {"usage_list": "Invoices"}, "Import events"),
        ("invoices.py", {"invoices_tab": "draft"}, "New invoice"),
    ):
        shown = page_as("admin").visit(page, **filtered)
        (leading,) = [button for button in shown.button if button.label == label]
        leading.click().run()
        assert not shown.exception
        assert not set(shown.query_params) & set(filtered)
