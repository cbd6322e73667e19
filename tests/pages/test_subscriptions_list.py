"""The list of subscriptions: tabs, filters, what they are worth, and who is offered what."""

import pytest

from billing_core.identity import SYSTEM
from billing_core.subscriptions import lifecycle
from billing_core.subscriptions.models import SubscriptionState
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE
from tests.subscriptions.signed_up import a_plan, a_subscription, at, state

pytestmark = pytest.mark.slow
SHOWN = ["Open", "Plan", "Status", "A month", "Currency", "Next", "Paid by", "Seats"]


@pytest.fixture
def ids(sessions) -> dict[str, int]:
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "basic", "10")
        made = {
            "trial": a_subscription(session, ref="TRIES", trial_days=14),
            "late": a_subscription(session, ref="LATE"),
            "active": a_subscription(session, "basic", ref="ACME"),
        }
        lifecycle.move(session, SYSTEM, state(session, made["late"]), SubscriptionState.PAST_DUE, now=at(2, 1))
        state(session, made["active"]).cancel_at_period_end = True
    return made


def shown(page) -> list[list[object]]:
    rows = page.dataframe[0].value[SHOWN].values.tolist()
    return [[list(cell) if name == "Status" else cell for name, cell in zip(SHOWN, row, strict=True)] for row in rows]


@EVERY_ROLE
def test_without_subscriptions_the_page_says_so(page_as, role):
    page = page_as(role).visit("subscriptions.py")

    assert not page.exception
    assert "There are no subscriptions yet" in page.info[0].value
    assert ("“New subscription”" in page.info[0].value) == (role == "admin")


@EVERY_ROLE
def test_subscriptions_are_listed_with_what_happens_next(page_as, ids, role):
    page = page_as(role).visit("subscriptions.py")

    assert not page.exception
    opened = ":material/open_in_new: Acme Corp"
    assert shown(page) == [
        [opened, "Basic", ["Active", "Ending"], "10.00", "USD", "Ends on Feb 28, 2026", "Mailed link", 1],
        [opened, "Pro", ["Past due"], "30.00", "USD", "Renews on Feb 28, 2026", "Mailed link", 1],
        [opened, "Pro", ["Trialing"], "30.00", "USD", "Trial ends on Feb 14, 2026", "Mailed link", 1],
    ]
    assert any("70.00\N{NO-BREAK SPACE}USD a month" in text.value for text in page.caption)
    assert page.metric[0].value == "40.00\N{NO-BREAK SPACE}USD"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"subscriptions_tab": "trialing"}, ["Trialing"]),
        ({"subscriptions_tab": "past_due"}, ["Past due"]),
        ({"subscriptions_tab": "ending"}, ["Active"]),
        ({"subscriptions_plan": "basic"}, ["Active"]),
        ({"subscriptions_text": "acme", "subscriptions_tab": "past_due"}, ["Past due"]),
    ],
)
def test_filters_come_from_the_address(page_as, ids, filters, found):
    page = page_as("manager").visit("subscriptions.py", **filters)

    assert not page.exception
    assert [row[2][0] for row in shown(page)] == found


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"subscriptions_tab": "canceled"}, "No subscription was canceled"),
        ({"subscriptions_text": "nobody"}, "No subscription matches these filters"),
        ({"subscriptions_tab": "anything"}, ""),
    ],
)
def test_an_empty_list_says_why(page_as, ids, filters, told):
    page = page_as("manager").visit("subscriptions.py", **filters)

    assert not page.exception
    assert [told in info.value for info in page.info] == ([True] if told else [])


def test_a_row_opens_its_subscription(page_as, ids):
    page = press(page_as("finance").visit("subscriptions.py"), "Open", row=1)

    assert not page.exception
    assert page.query_params["subscription"] == str(ids["late"])
    assert page.title[0].value == "Acme Corp, Pro"
