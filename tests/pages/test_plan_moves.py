"""Moving subscriptions to another version of their plan, on the plan's page."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.plans import service as plans
from billing_core.plans.terms import Terms
from billing_core.subscriptions.models import ChangeState, PlanMove, SubscriptionChange
from billing_core.subscriptions.moving import rehearsing, service
from billing_core.subscriptions.moving.asked import Asked
from tests.invoices.company import a_customer
from tests.pages.pressing import press
from tests.subscriptions.signed_up import D, a_plan, a_subscription

pytestmark = pytest.mark.slow
MOVES = {"plan": "pro", "plan_tab": "Moves"}


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What a page reads is tried on both where it is read."""
    return sqlite_url


@pytest.fixture
def two(sessions) -> None:
    """Signed up today for *pro*, 30.00 a month, which is 40.00 in its second version."""
    with sessions.begin() as session:
        a_plan(session)
        for ref in ("ALBA", "BONBON"):
            a_customer(session, ref, name=ref.title())
            a_subscription(session, ref=ref, now=utc_now())
        plans.add_version(session, SYSTEM, "pro", Terms("USD", D(40), 0, D(0)), now=utc_now())


@pytest.fixture
def move(sessions, two) -> int:
    today = utc_now().date()
    asked, limits = Asked("pro", 2, today + timedelta(days=40)), {"today": today, "notice_days": 30}
    with sessions.begin() as session:
        shown = rehearsing.rehearse(session, SYSTEM, asked, **limits)
        return service.move(session, SYSTEM, asked, shown.token, now=utc_now(), **limits)


def states(sessions) -> list[ChangeState]:
    with sessions() as session:
        return list(session.scalars(select(SubscriptionChange.state).order_by(SubscriptionChange.id)))


def test_an_admin_sees_what_a_move_comes_to_and_does_it(page_as, sessions, two):
    page = page_as("admin").visit("plans.py", **MOVES)

    assert not page.exception
    sums, differences, rows = (table.value for table in page.dataframe)
    assert sums.values.tolist() == [["USD", 2, "60.00", "80.00", "+20.00"]]
    assert differences.values.tolist() == [["+10.00", "USD", 2]]
    assert rows[["Customer", "Before", "After", "Difference", "Mail to"]].values.tolist() == [
        ["Alba", "30.00", "40.00", "+10.00", "ap@acme.example"],
        ["Bonbon", "30.00", "40.00", "+10.00", "ap@acme.example"],
    ]
    page.button(key="move_them").click().run()
    assert any("go on with version 2" in text.value for text in page.markdown)
    page.button(key="move_them").click()
    page.button(key="do_move").click().run()

    assert not page.exception
    assert states(sessions) == [ChangeState.SCHEDULED] * 2
    with sessions() as session:
        assert session.scalars(select(PlanMove.told)).all() == [True]
    assert page.dataframe[0].value[["State", "To version", "Scheduled"]].values.tolist() == [["Scheduled", 2, 2]]


def test_without_mails_nobody_is_shown_an_address(page_as, two):
    page = page_as("admin").visit("plans.py", **MOVES)
    page.toggle(key="move_tells").set_value(False).run()
    assert page.dataframe[2].value["Mail to"].tolist() == ["–", "–"]


def test_those_that_stay_are_named_with_the_reason(page_as, move):
    page = page_as("admin").visit("plans.py", **MOVES)
    staying = page.dataframe[-1].value
    assert staying["Why"].tolist() == ["It is to be moved already"] * 2
    assert page.button(key="move_them").disabled


def test_a_move_is_withdrawn_for_one_and_for_all(page_as, sessions, move):
    page = page_as("admin").visit("plans.py", **MOVES)
    press(page, "Withdraw", row=0, table=1)
    assert any("stays on version 1" in text.value for text in page.markdown)
    page.button(key="do_withdraw_moved").click()
    press(page, "Withdraw", row=0, table=1)
    assert not page.exception
    assert states(sessions) == [ChangeState.WITHDRAWN, ChangeState.SCHEDULED]
    press(page, "Withdraw", row=0, table=0)
    page.button(key="do_withdraw_move").click()
    press(page, "Withdraw", row=0, table=0)
    assert not page.exception
    assert states(sessions) == [ChangeState.WITHDRAWN] * 2


@pytest.mark.parametrize("role", ["finance", "manager"])
def test_others_see_moves_and_change_nothing(page_as, move, role):
    page = page_as(role).visit("plans.py", **MOVES)

    assert not page.exception
    moves, subscriptions = (table.value for table in page.dataframe)
    assert moves["Scheduled"].tolist() == [2]
    assert [shown.split()[-1] for shown in subscriptions["Open"]] == ["Alba", "Bonbon"]
    assert not any(button.key in ("move_them", "do_withdraw_move") for button in page.main.button)


@pytest.mark.parametrize("role", ["finance", "manager", "admin"])
def test_a_plan_without_moves_says_so(page_as, sessions, role):
    with sessions.begin() as session:
        a_plan(session)
    page = page_as(role).visit("plans.py", **MOVES)
    assert not page.exception
    assert any("No subscription was moved" in text.value for text in page.caption)


def test_the_subscription_shows_the_move_among_its_changes(page_as, move):
    page = page_as("admin").visit("subscriptions.py", subscription="1", subscription_tab="Changes")
    (what,) = page.dataframe[0].value["What"].tolist()
    assert what.startswith("version 2 of plan pro, with the first period from ")
