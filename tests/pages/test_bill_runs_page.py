"""Bill runs on the page of reports: started, refused, watched, stopped, and what a rehearsal says."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome
from billing_core.businesses import queries as businesses
from billing_core.businesses import service as business_details
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices.from_reports import Grouping, draft_from_report
from billing_core.jobs import bill_run
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from billing_core.reports.models import BillingReport
from pages.ui import formats
from tests.bounces.sent import a_returned_mail
from tests.pages.as_read import as_read
from tests.pages.bill_runs import GENERATE_MARCH, a_process, changed, noted, planned, taken_up, waiting
from tests.pages.filled import HOSTILE, fill
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE
from tests.reports.company import MARCH, NOW, a_customer, an_order

pytestmark = pytest.mark.slow


@pytest.fixture
def begun(monkeypatch) -> list[int]:
    """The runs that the page has had begun. Nobody works on them."""
    runs: list[int] = []
    monkeypatch.setattr(bill_run, "begin", runs.append)
    return runs


@pytest.fixture
def company(sessions, begun):
    return fill(sessions)


def generating(visitor, goal: str | None = None):
    page = visitor.visit("reports.py", **GENERATE_MARCH)
    if goal is not None:
        choose(page, goal)
    assert not page.exception
    return page


def choose(page, goal: str):
    """How far the run goes."""
    (control,) = [one for one in page.button_group if one.key in ("run_goal", "real_goal")]
    control.set_value(goal).run()
    return page


def watching(visitor, run_id: int, **query: str):
    page = visitor.visit("reports.py", tab="Generate", run=str(run_id), **query)
    assert not page.exception
    return page


def confirm(page, opener: str, confirming: str):
    """A click in the dialog. Here the whole page runs, not the dialog alone, so its opener is clicked again with it."""
    page.button(key=opener).click()
    return page.button(key=confirming).click().run()


def keys(page) -> set[str]:
    return {button.key for button in page.button}


def said(page) -> str:
    """All words of the page, with plain blanks."""
    drawn = [*page.markdown, *page.caption, *page.info, *page.warning, *page.error, *page.success, *page.subheader]
    return "\n".join(one.value for one in drawn).replace(formats.NO_BREAK_SPACE, " ")


def figures(page) -> dict[str, str]:
    return {one.label: one.value for one in page.metric}


def stored(sessions, run_id: int) -> BillRun:
    with sessions() as session:
        run = session.get_one(BillRun, run_id)
        session.expunge(run)
        return run


# Starting


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


# Watching


@EVERY_ROLE
def test_everybody_who_reads_reports_sees_the_recent_runs_and_opens_one(page_as, sessions, company, role):
    run_id = planned(sessions, goal=RunGoal.SENT, with_links=True)
    page = page_as(role).visit("reports.py", **GENERATE_MARCH)
    row = page.dataframe[0].value.iloc[0]
    assert (row["Period"], row["What"], row["State"], row["By"]) == (
        "March 2026",
        "Invoices by mail with links",
        "Waiting for a process, 0 of 2",
        "system",
    )

    page = press(page, "Run", row=0)
    assert not page.exception
    assert page.subheader[0].value == "Invoices by mail with payment links for March 2026"
    assert page.query_params["run"] == str(run_id)
    assert ("stop_run" in keys(page)) == (role == "admin"), "a run that sends is changed by who may send"


@pytest.mark.parametrize("named", ["999", "x", "1e3"])
def test_a_run_that_is_not_there(page_as, company, named):
    page = page_as("finance").visit("reports.py", tab="Generate", run=named)
    assert not page.exception
    assert "There is no" in page.error[0].value


def test_a_run_in_progress_shows_rate_time_left_hands_and_amounts(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.acme, RunOutcome.CREATED, total_minor=800, currency="USD", question_count=3)
    taken_up(sessions, run_id, a_process(sessions))
    page = watching(page_as("manager"), run_id)

    (bar,) = page.get("progress")
    assert bar.proto.value == 50
    assert bar.proto.text.startswith("1 of 2 customers · ")
    assert " a minute · about " in bar.proto.text
    assert "1 process works on it" in said(page)
    assert figures(page) == {
        "New reports": "1",
        "Unchanged": "0",
        "Failed": "0",
        "Questions": "3",
        "Billed, USD": "8.00",
    }
    assert {"pause_run", "stop_run"} <= keys(page)
    assert not {"resume_run", "retry_run"} & keys(page)


def test_no_time_is_promised_where_nobody_works(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.acme, RunOutcome.CREATED)
    taken_up(sessions, run_id, a_process(sessions, heard_ago=timedelta(minutes=2)))
    page = watching(page_as("manager"), run_id)

    assert page.get("progress")[0].proto.text == "1 of 2 customers"
    assert "No process is working on this run. It goes on as soon as one runs." in said(page)


def test_a_run_that_waits_for_a_living_process_says_so(page_as, sessions, company):
    run_id = planned(sessions)
    a_process(sessions)
    assert "No process is working on this run yet." in said(watching(page_as("manager"), run_id))


def test_a_run_that_waits_because_all_are_paused_says_so(page_as, sessions, company):
    run_id = planned(sessions)
    a_process(sessions)
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, Queue.BILL_RUNS, now=NOW)
    assert "Bill runs are paused for everybody." in said(watching(page_as("manager"), run_id))


def test_drafts_and_sent_invoices_are_counted(page_as, sessions, company):
    for goal, counted in (
        (RunGoal.DRAFTS, ["New reports", "Unchanged", "Drafts", "No invoice", "Failed", "Questions"]),
        (RunGoal.SENT, ["New reports", "Unchanged", "Invoices", "Sent", "No invoice", "Failed", "Questions"]),
    ):
        run_id = planned(sessions, goal=goal)
        page = watching(page_as("finance"), run_id)
        assert list(figures(page)) == counted
        changed(sessions, run_id, planning.cancel)


def test_a_run_is_paused_and_resumed(page_as, sessions, company, begun):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    page = watching(page_as("manager"), run_id)
    page.button(key="pause_run").click().run()
    assert stored(sessions, run_id).paused_at is not None
    assert page.info[0].value.startswith("Paused since ")
    assert not {"pause_run", "retry_run"} & keys(page)

    page.button(key="resume_run").click().run()
    assert stored(sessions, run_id).paused_at is None
    assert begun == [run_id]
    assert "pause_run" in keys(page)


def test_a_run_that_no_person_paused_says_why(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    with sessions.begin() as session:
        run = session.get_one(BillRun, run_id)
        run.paused_at, run.pause_reason = NOW, "It was begun 20 times, and no customer was finished"
    page = watching(page_as("manager"), run_id)
    assert "It was begun 20 times, and no customer was finished. No further customer" in page.warning[0].value
    assert "resume_run" in keys(page)


def test_a_run_is_stopped_once_that_is_confirmed_and_can_go_on(page_as, sessions, company, begun):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.acme, RunOutcome.CREATED)
    page = watching(page_as("manager"), run_id)
    page.button(key="stop_run").click().run()
    assert "**1 customer** is left out. The reports made so far stay." in said(page)
    assert stored(sessions, run_id).cancelled_at is None, "only asked so far"

    confirm(page, "stop_run", "confirm_stop")
    assert stored(sessions, run_id).cancelled_at is not None
    assert "1 customer left out." in page.warning[0].value

    page.button(key="resume_run").click().run()
    assert stored(sessions, run_id).cancelled_at is None
    assert begun == [run_id]


def test_going_on_is_refused_where_another_run_does_the_rest_by_now(page_as, sessions, company, begun):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    changed(sessions, run_id, planning.cancel)
    other = planned(sessions, goal=RunGoal.REPORTS)
    page = watching(page_as("manager"), run_id)
    page.button(key="resume_run").click().run()

    assert not page.exception
    assert f"Run {other} bills some of these customers" in page.error[0].value
    assert page.button(key="open_other_run").label == f"Open run {other}"
    assert begun == []


def test_what_somebody_else_changed_meanwhile_is_refused_in_words(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    page = watching(page_as("manager"), run_id)
    changed(sessions, run_id, planning.pause)
    page.button(key="pause_run").click().run()

    assert not page.exception
    assert "resume_run" in keys(page), "the page shows the run as it is by then"


def test_failures_are_listed_with_their_reasons_and_retried(page_as, sessions, company, begun):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    facts = {"report_id": company.bolts_march, "total_minor": 700, "currency": "EUR", "question_count": 0}
    noted(sessions, run_id, company.bolt, RunOutcome.UNCHANGED, **facts)
    noted(sessions, run_id, company.acme, RunOutcome.FAILED, reason="The rate card says two things at once")
    finish(sessions, run_id)
    page = watching(page_as("manager"), run_id)

    assert "Done, except for 1 customer who failed" in page.warning[0].value
    columns = ["Customer", "Outcome", "Reason"]
    shown = page.dataframe[0].value[columns].values.tolist()
    assert [[customer, list(outcome), reason] for customer, outcome, reason in shown] == [
        [HOSTILE, ["Failed"], "The rate card says two things at once"],
        ["Bolt GmbH", ["Unchanged"], ""],
    ]
    page = watching(page_as("manager"), run_id, run_outcome="Failed")
    assert list(page.dataframe[0].value["Customer"]) == [HOSTILE]

    page.button(key="retry_run").click().run()
    assert begun == [run_id]
    assert waiting(sessions, run_id) == {company.acme}


def test_a_paused_or_stopped_run_offers_the_rest_before_what_failed(page_as, sessions, company):
    for verb in (planning.pause, planning.cancel):
        run_id = planned(sessions, goal=RunGoal.REPORTS)
        noted(sessions, run_id, company.acme, RunOutcome.FAILED, reason="No rate")
        changed(sessions, run_id, verb)
        shown = keys(watching(page_as("manager"), run_id))
        assert ("resume_run" in shown, "retry_run" in shown) == (True, False)
        if verb is planning.pause:
            changed(sessions, run_id, planning.cancel)


def test_a_customers_report_opens_from_the_run(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.bolt, RunOutcome.UNCHANGED, report_id=company.bolts_march)
    page = watching(page_as("finance"), run_id)
    page = press(page, "Report", row=1)

    assert not page.exception
    assert page.query_params["report"] == str(company.bolts_march)


def test_a_run_that_ended_says_so_and_offers_nothing_more(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    for customer_id in (company.acme, company.bolt):
        noted(sessions, run_id, customer_id, RunOutcome.UNCHANGED)
    finish(sessions, run_id)
    page = watching(page_as("manager"), run_id)

    assert page.success[0].value == "Done: 2 of 2 customers."
    assert not {"pause_run", "stop_run", "resume_run", "retry_run"} & keys(page)


def test_after_a_run_of_drafts_they_are_reviewed(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.DRAFTS)
    with sessions.begin() as session:
        draft = draft_from_report(session, SYSTEM, company.bolts_march, now=NOW, today=NOW.date())
        draft_id = draft.id
    noted(sessions, run_id, company.acme, RunOutcome.UNCHANGED)
    noted(sessions, run_id, company.bolt, RunOutcome.UNCHANGED, report_id=company.bolts_march, invoice_id=draft_id)
    finish(sessions, run_id)
    page = watching(page_as("admin"), run_id)
    assert figures(page) | {"Drafts": "1", "No invoice": "1", "Invoiced, EUR": "7.00"} == figures(page)
    assert "1 customer got no invoice from this run" in said(page)

    page.button(key="review_drafts").click().run()
    assert not page.exception
    assert page.query_params["invoices_tab"] == "draft"


def finish(sessions, run_id: int) -> None:
    with sessions.begin() as session:
        session.execute(update(BillRun).where(BillRun.id == run_id).values(finished_at=NOW))


# Rehearsals


@pytest.fixture
def rehearsed(sessions, company) -> int:
    """ACME would be billed 8.00 USD in March after 12.00 in February; BOLT 7.00 EUR, which is new."""
    run_id = planned(sessions, goal=RunGoal.REHEARSAL)
    noted(
        sessions,
        run_id,
        company.acme,
        RunOutcome.UNCHANGED,
        total_minor=800,
        currency="USD",
        order_count=2,
        question_count=1,
    )
    noted(
        sessions,
        run_id,
        company.bolt,
        RunOutcome.UNCHANGED,
        total_minor=700,
        currency="EUR",
        order_count=1,
        question_count=0,
    )
    finish(sessions, run_id)
    return run_id


@EVERY_ROLE
def test_a_rehearsal_says_what_changed_since_last_month_by_customer(page_as, rehearsed, role):
    page = watching(page_as(role), rehearsed)

    assert {
        label: value.replace(formats.NO_BREAK_SPACE, " ") for label, value in figures(page).items() if "Would" in label
    } == {"Would be billed, EUR": "7.00", "Would be billed, USD": "8.00"}
    assert [one.delta for one in page.metric if "Would" in one.label] == ["+7.00", "-4.00"]
    table = page.dataframe[0].value
    assert table[["Customer", "Total", "February 2026", "Difference", "Currency", "Questions"]].values.tolist() == [
        ["Bolt GmbH", "7.00", formats.NOTHING, "+7.00", "EUR", 0],
        [HOSTILE, "8.00", "12.00", "-4.00", "USD", 1],
    ]
    assert [list(change) for change in table["Change"]] == [["New"], ["Less"]]


def test_one_kind_of_change_is_shown_alone(page_as, rehearsed):
    page = watching(page_as("finance"), rehearsed)
    (kinds,) = [one for one in page.button_group if one.key == "rehearsed_change"]
    assert kinds.options == ["New", "Less"]
    assert (figures(page)["New customers"], figures(page)["Missing"]) == ("1", "0")
    kinds.set_value("less").run()
    assert list(page.dataframe[0].value["Customer"]) == [HOSTILE]


def test_whoever_failed_in_a_rehearsal_is_shown_with_the_reason(page_as, sessions, company, rehearsed):
    reason = "The rate card says two things at once"
    noted(sessions, rehearsed, company.bolt, RunOutcome.FAILED, reason=reason, total_minor=None, currency=None)
    page = watching(page_as("finance"), rehearsed, rehearsed_change="Not computed")

    assert "Done, except for 1 customer who failed" in page.warning[0].value
    shown = page.dataframe[0].value
    assert shown[["Customer", "Note"]].values.tolist() == [["Bolt GmbH", reason]]
    assert "Total" not in shown


def test_a_rehearsal_lists_what_the_invoices_would_lack_and_leads_there(page_as, sessions, company, rehearsed):
    page = watching(page_as("admin"), rehearsed)
    ours, theirs = (one.value for one in page.warning[-2:])
    assert ours.startswith("All invoices would lack our address, our tax number")
    assert theirs.startswith("**2 customers** lack what the law or usage wants")
    assert f"](/customers?customer={company.bolt})" in theirs
    with sessions.begin() as session:
        mine = businesses.default_business(session)
        wanted = replace(business_details.details(mine), address="1 Main St", tax_id="1")
        business_details.change(session, SYSTEM, wanted=wanted, drawn_from=mine.version, now=utc_now())
        session.execute(update(Customer).values(address="2 Main St"))
    page = watching(page_as("admin"), rehearsed)
    assert not any("lack" in one.value for one in page.warning)


def test_one_click_starts_the_real_run_with_the_same_choices(page_as, sessions, rehearsed, begun):
    page = watching(page_as("manager"), rehearsed)
    page.button(key="real_start").click().run()

    assert not page.exception
    run = stored(sessions, begun[0])
    assert (run.goal, run.all_customers, run.period_start, run.services) == (
        RunGoal.REPORTS,
        True,
        MARCH.start,
        "",
    )


def test_the_real_run_of_chosen_customers_is_over_the_same(page_as, sessions, company, begun):
    chosen = planned(sessions, customer_ids=[company.bolt], goal=RunGoal.REHEARSAL, service_ids=[2])
    finish(sessions, chosen)
    page = watching(page_as("manager"), chosen)
    page.button(key="real_start").click().run()

    run = stored(sessions, begun[0])
    assert (run.all_customers, run.services) == (False, "2")
    assert waiting(sessions, run.id) == {company.bolt}


def test_finance_reads_a_rehearsal_and_starts_nothing(page_as, rehearsed):
    page = watching(page_as("finance"), rehearsed)
    assert "real_start" not in keys(page)
    assert "Details" not in page.dataframe[0].value


def test_one_customer_is_looked_at_more_closely(page_as, sessions, company, rehearsed):
    with sessions.begin() as session:
        an_order(session, company.acme, "M-3", on=MARCH.start, items=6)
    page = press(watching(page_as("manager"), rehearsed), "Details", row=1)

    assert not page.exception
    assert "**13.00 USD** for 3 orders" in as_read(said(page))
    assert "**Against the current version:** +5.00 USD" in as_read(said(page))
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(BillingReport)) == 3, "nothing is stored"


def test_orders_without_any_rate_are_named_where_one_looks_closer(page_as, sessions, company):
    with sessions.begin() as session:
        bare = a_customer(session, "BARE", name="Bare Shelf", priced=False)
        an_order(session, bare, "X-1", on=MARCH.start)
    run_id = planned(sessions, customer_ids=[bare], goal=RunGoal.REHEARSAL)
    noted(sessions, run_id, bare, RunOutcome.CREATED, total_minor=0, currency="USD", order_count=1, question_count=1)
    finish(sessions, run_id)
    page = watching(page_as("manager"), run_id)
    assert page.warning[0].value == "1 customer has orders and comes to 0: rates are missing on “Rate cards”."
    page = press(page, "Details", row=0)
    assert any(one.value.startswith("No rate holds on the days of these orders") for one in page.warning)


def test_charges_that_would_be_billed_twice_are_counted(page_as, sessions, company, rehearsed):
    noted(sessions, rehearsed, company.acme, RunOutcome.CREATED, twice_count=3)
    page = watching(page_as("finance"), rehearsed)

    assert page.warning[0].value.startswith("3 charges would be billed twice")
    assert page.dataframe[0].value["Billed twice"].tolist()[1] == 3


def test_last_months_report_opens_from_the_rehearsal(page_as, company, rehearsed):
    page = press(watching(page_as("finance"), rehearsed), "Report before", row=1)
    assert not page.exception
    assert page.query_params["report"] == str(company.february)


def test_a_rehearsal_of_somebody_bound_shows_their_customer_alone(page_as, sessions, company):
    bound = actor_with(Role.MANAGER, user_id=5, name="Mia", customer_id=company.acme)
    run_id = planned(sessions, bound, goal=RunGoal.REHEARSAL)
    finish(sessions, run_id)
    page = watching(page_as("manager", customer_id=company.acme), run_id)
    assert list(page.dataframe[0].value["Customer"]) == [HOSTILE]
    with sessions() as session:
        assert session.scalars(select(BillRunCustomer.customer_id)).all() == [company.acme]
