"""Rehearsals of bill runs on the page of reports, and the real runs that follow."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from billing_core.bill_runs.models import BillRunCustomer, RunGoal, RunOutcome
from billing_core.businesses import queries as businesses
from billing_core.businesses import service as business_details
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.reports.models import BillingReport
from pages.ui import formats
from tests.pages.as_read import as_read
from tests.pages.bill_runs.reading import figures, keys, said, stored, watching
from tests.pages.bill_runs.states import finish, noted, planned, waiting
from tests.pages.filled import HOSTILE
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE
from tests.reports.company import MARCH, a_customer, an_order

pytestmark = pytest.mark.slow


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
