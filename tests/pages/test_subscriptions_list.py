"""The list of subscriptions: tabs, filters, what they are worth, and who is offered what."""

from datetime import date

import pytest
from sqlalchemy import select, update

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.settings import settings
from billing_core.subscriptions import clock, lifecycle, signing_up
from billing_core.subscriptions.models import Subscription, SubscriptionState
from billing_core.subscriptions.service import Wanted
from tests.invoices.company import a_customer
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE
from tests.subscriptions.signed_up import BEGUN, a_plan, a_subscription, at, state

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
        [opened, "Basic", ["Active", "Ending"], "10.00", "USD", "Ends on 02/28/2026", "Mailed link", 1],
        [opened, "Pro", ["Past due"], "30.00", "USD", "Renews on 02/28/2026", "Mailed link", 1],
        [opened, "Pro", ["Trialing"], "30.00", "USD", "Trial ends on 02/14/2026", "Mailed link", 1],
    ]
    assert "Worth 40.00 USD a month at full prices, trials and paused ones another 30.00 USD" in [
        text.value.replace("\N{NO-BREAK SPACE}", " ") for text in page.caption
    ]
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


@pytest.fixture
def past_due(sessions, data_dir) -> int:
    """Charged in vain to a card that has expired by now."""
    with sessions.begin() as session:
        a_plan(session)
        customer = session.get_one(Customer, a_customer(session)).public_id
    gateway = SandboxGateway(sessions, settings())
    wanted = Wanted(customer, "pro", trial_days=14)
    signing_up.subscribe(sessions, SYSTEM, gateway, wanted, method="pm_card_chargeCustomerFail", now=BEGUN)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 14, 12)))
    with sessions.begin() as session:
        session.scalars(select(PaymentMethodOnFile)).one().expires_on = date(2026, 2, 28)
        session.execute(update(OutboxMessage).values(state=MessageState.DELIVERED, attempts=1))
        return session.scalars(select(Subscription.id)).one()


@pytest.mark.parametrize(
    ("tab", "column", "told", "topic", "said"),
    [
        (
            "past_due",
            "Next attempt",
            "02/15/2026, 12:00\N{NARROW NO-BREAK SPACE}PM",
            "charge_failed",
            "The mail about 1 invoice with the ways to pay",
        ),
        (
            "card_expires",
            "Card's last day",
            date(2026, 2, 28),
            "card_request",
            "The address where a card can be entered",
        ),
    ],
)
def test_a_click_in_the_list_mails_the_customer(page_as, sessions, past_due, tab, column, told, topic, said):
    page = page_as("admin").visit("subscriptions.py", subscriptions_tab=tab)
    assert not page.exception
    assert page.dataframe[0].value[column].tolist() == [told]
    press(page, "Mail", row=0)

    assert not page.exception
    assert said in page.toast[0].value
    with sessions() as session:
        newest = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id.desc())).first()
        assert newest.topic == topic
    assert "Mail" not in page_as("manager").visit("subscriptions.py", subscriptions_tab=tab).dataframe[0].value.columns


@pytest.mark.usefixtures("mail_server")
def test_a_card_that_has_expired_is_asked_for_from_the_subscription(page_as, sessions, past_due):
    page = page_as("admin").visit("subscriptions.py", subscription=str(past_due))
    assert "expired on 02/28/2026" in page.warning[1].value
    page.button(key="ask_for_subscription_card").click().run()
    assert not page.exception
    page = page_as("admin").visit("subscriptions.py", subscription=str(past_due))
    page.menu_button(key="subscription_more").click("Ask for a card").run()
    page.menu_button(key="subscription_more").click("Ask for a card")
    page.button(key="do_ask_for_card").click().run()
    assert not page.exception
    assert "waits to be sent already" in page.error[0].value
    with sessions() as session:
        mails = select(OutboxMessage.id).where(OutboxMessage.topic == "card_request")
        assert len(session.scalars(mails).all()) == 1
