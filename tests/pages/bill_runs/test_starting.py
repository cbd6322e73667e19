"""Bill runs on the page of reports: what it offers, and what it refuses."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from billing_core.bill_runs.models import BillRun, RunGoal
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.from_reports import Grouping
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from tests.bounces.sent import a_returned_mail
from tests.pages.as_read import as_read
from tests.pages.bill_runs.reading import choose, confirm, generating, keys, said, stored
from tests.pages.bill_runs.states import GENERATE_MARCH, planned, waiting
from tests.pages.roles import EVERY_ROLE
from tests.reports.company import MARCH

pytestmark = pytest.mark.slow


@EVERY_ROLE
def test_each_role_is_offered_what_it_may_start(page_as, company, role):
    page = page_as(role).visit("reports.py", **GENERATE_MARCH)

    assert not page.exception
    offered = [option for one in page.button_group if one.key == "run_goal" for option in one.options]
    assert (
        offered
        == {
            "finance": [],
            "manager": ["Rehearse", "Make reports"],
            "admin": ["Rehearse", "Make reports", "Draft invoices", "Send invoices"],
        }[role]
    )
    assert ("run_start" in keys(page)) == (role != "finance")


def test_it_is_said_beforehand_how_many_are_billed(page_as, company):
    page = generating(page_as("manager"))
    assert "**2 customers** have orders in March 2026" in said(page)

    page = page_as("manager").visit("reports.py", **GENERATE_MARCH | {"run_period_days": ["2026-01-01", "2026-01-31"]})
    assert "Nobody has anything to bill in January 2026." in said(page)
    assert page.button(key="run_start").disabled


def test_a_period_that_is_not_over_is_said_to_be_so(page_as, company):
    assert "is not over" not in said(generating(page_as("manager")))

    today = utc_now().date()
    days = [(today - timedelta(days=1)).isoformat(), (today + timedelta(days=1)).isoformat()]
    page = page_as("manager").visit("reports.py", **GENERATE_MARCH | {"run_period_days": days})
    assert not page.exception
    assert "is not over. Orders that come in later" in said(page)


def test_while_runs_are_paused_that_is_said_before_one_is_started(page_as, sessions, company):
    assert "Bill runs are paused." not in said(generating(page_as("manager")))
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, Queue.BILL_RUNS, now=utc_now())
    assert "Bill runs are paused. A run that is started now waits" in said(generating(page_as("manager")))


def test_a_rehearsal_is_started_like_a_run_and_shown(page_as, sessions, company, begun):
    page = generating(page_as("manager"))
    page.button(key="run_start").click().run()

    assert not page.exception
    (run_id,) = begun
    run = stored(sessions, run_id)
    assert (run.goal, run.all_customers, run.period_start, run.period_end) == (
        RunGoal.REHEARSAL,
        True,
        MARCH.start,
        MARCH.end,
    )
    assert page.query_params["run"] == str(run_id)
    assert page.subheader[0].value == "Rehearsal for March 2026"
    assert waiting(sessions, run_id) == {company.acme, company.bolt}


def test_customers_services_lines_and_tax_are_those_that_were_chosen(page_as, sessions, company, begun):
    page = generating(page_as("admin"), "drafts")
    names = page.multiselect(key="run_customers").options
    page.multiselect(key="run_customers").set_value([next(name for name in names if "Bolt" in name)]).run()
    page.multiselect(key="run_services").set_value(["Picking"]).run()
    page.selectbox(key="run_lines").set_value(Grouping.ORDER).run()
    page.text_input(key="run_tax").set_value("19").run()
    page.button(key="run_start").click().run()

    assert not page.exception
    run = stored(sessions, begun[0])
    assert (run.goal, run.line_grouping, run.tax_rate, run.services) == (RunGoal.DRAFTS, Grouping.ORDER, 19, "2")
    assert waiting(sessions, run.id) == {company.bolt}


def test_a_tax_rate_that_is_none_starts_nothing(page_as, company):
    page = generating(page_as("admin"), "drafts")
    page.text_input(key="run_tax").set_value("much").run()

    assert "The tax rate is not a number" in said(page)
    assert "run_start" not in keys(page)


def test_sending_asks_first_and_says_that_mails_are_kept_without_a_mail_server(page_as, sessions, company, begun):
    with sessions.begin() as session:
        session.get_one(Customer, company.acme).email = "ap@acme.example"
        a_returned_mail(session, company.acme)
    page = generating(page_as("admin"), "sent")
    next(one for one in page.toggle if one.key == "run_links").set_value(True).run()
    page.button(key="run_ask").click().run()

    assert begun == [], "only asked so far"
    words = said(page)
    assert "**2 customers** are billed for **March 2026**" in words
    assert "a mail with its PDF and a payment link is kept for each" in words
    assert "That cannot be undone" in words
    assert "1 customer of them has no e-mail address" in words
    assert "No mail server is set up" in words
    assert "A mail came back from ap@acme.example on" in as_read(words)

    confirm(page, "run_ask", "confirm_send")
    assert not page.exception
    run = stored(sessions, begun[0])
    assert (run.goal, run.with_links) == (RunGoal.SENT, True)


def test_a_second_run_is_refused_with_the_way_to_the_first(page_as, sessions, company, begun):
    first = planned(sessions, goal=RunGoal.REPORTS)
    page = generating(page_as("manager"), "reports")
    page.button(key="run_start").click().run()

    assert not page.exception
    assert f"Run {first} bills some of these customers" in page.error[0].value
    assert begun == []
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(BillRun)) == 1

    page.button(key="open_other_run").click().run()
    assert page.query_params["run"] == str(first)
    assert page.subheader[0].value == "Reports for March 2026"


def test_sending_is_refused_in_the_dialog_with_the_way_to_the_first(page_as, sessions, company, begun):
    first = planned(sessions, goal=RunGoal.DRAFTS)
    page = generating(page_as("admin"), "sent")
    page.button(key="run_ask").click().run()
    confirm(page, "run_ask", "confirm_send")

    assert f"Run {first} bills some of these customers" in page.error[0].value
    assert begun == []
    page.button(key="open_other_run").click().run()
    assert page.subheader[0].value == "Draft invoices for March 2026"


def test_somebody_bound_to_one_customer_starts_and_sees_their_own_runs_alone(page_as, sessions, company, begun):
    everybody = planned(sessions)
    visitor = page_as("manager", customer_id=company.bolt)
    page = visitor.visit("reports.py", tab="Generate", run=str(everybody))
    assert page.error[0].value == f"There is no run {everybody}."

    page = generating(visitor)
    assert "**1 customer** has orders in March 2026" in said(page)
    assert not page.dataframe, "no recent run of others"
    choose(page, "reports").button(key="run_start").click().run()
    assert page.error[0].value.startswith("Another run bills some of these customers")
    assert "open_other_run" not in keys(page), "no way to a run that they may not see"

    choose(page, "rehearsal").button(key="run_start").click().run()
    assert waiting(sessions, begun[0]) == {company.bolt}


def test_without_anybody_to_bill_the_page_says_what_to_do(page_as, sessions):
    page = page_as("manager").visit("reports.py", tab="Generate")
    assert "Import customers and their orders first" in page.info[0].value
