"""One subscription on its page, and signing a customer up."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.plans.terms import AddOn
from billing_core.promotions import service as promotions
from billing_core.promotions.new_codes import NewCode
from billing_core.settings import settings
from billing_core.subscriptions import clock, signing_up
from billing_core.subscriptions.models import Subscription, SubscriptionState
from billing_core.subscriptions.service import Wanted
from tests.invoices.company import a_customer
from tests.pages.as_read import as_read
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE, OTHER_ROLES
from tests.subscriptions.changed import changed, subscribed
from tests.subscriptions.signed_up import BEGUN, D, a_plan, a_subscription, at, renewed, state

pytestmark = pytest.mark.slow
SMS = (AddOn("sms", "SMS", {"USD": D(4)}),)

MAILED = (
    "The mail about 1 invoice with the ways to pay leaves for the customer in a minute: until then it can be recalled "
    "in the outbox"
)


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


@pytest.fixture
def declined(sessions, gateway) -> int:
    """Charged to a card from the end of its trial on, which the bank declined."""
    with sessions.begin() as session:
        a_plan(session)
        customer = session.get_one(Customer, a_customer(session)).public_id
    wanted = Wanted(customer, "pro", trial_days=14)
    signing_up.subscribe(sessions, SYSTEM, gateway, wanted, method="pm_card_chargeCustomerFail", now=BEGUN)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 14, 12)))
    with sessions() as session:
        return session.scalars(select(Subscription.id)).one()


@EVERY_ROLE
def test_it_says_where_it_stands_and_what_comes(page_as, declined, role):
    page = page_as(role).visit("subscriptions.py", subscription=str(declined))

    assert not page.exception
    assert page.title[0].value == "Acme Corp, Pro"
    told = " ".join(text.value for text in page.markdown)
    assert "Past due" in told
    assert "Renews on 03/14/2026" in told
    coming, begun = (table.value for table in page.dataframe)
    assert coming["Total, USD"].tolist() == ["30.00", "30.00", "30.00"]
    assert coming["For"].tolist()[0] == "03/14/2026 – 04/13/2026"
    assert begun[["Period", "Status", "Total", "Amount due"]].values.tolist() == [
        ["02/14/2026 – 03/13/2026", "Open", "30.00", "30.00"]
    ]


@EVERY_ROLE
def test_invoices_tell_the_charge_that_failed_and_the_next_one(page_as, declined, role):
    page = page_as(role).visit("subscriptions.py", subscription=str(declined), subscription_tab="Invoices and charges")

    assert not page.exception
    invoices, charges = (table.value for table in page.dataframe)
    assert invoices["Collecting"].tolist() == ["1 charge failed, next on 02/15/2026, 12:00\N{NARROW NO-BREAK SPACE}PM"]
    assert [list(cell) for cell in charges["Outcome"]] == [["Declined"]]
    assert charges[["Amount", "Card"]].values.tolist() == [["30.00", "Visa •••• 0341"]]


@EVERY_ROLE
def test_the_invoice_tells_of_its_charges_too(page_as, declined, sessions, role):
    with sessions() as session:
        invoice_id = session.scalars(select(Invoice.id)).one()
    page = page_as(role).visit("invoice_editor.py", invoice=str(invoice_id))

    assert not page.exception
    charges = next(table.value for table in page.dataframe if "Outcome" in table.value.columns)
    assert charges[["Amount", "Card", "Why not"]].values.tolist() == [
        ["30.00", "Visa •••• 0341", "Your card was declined. (generic decline)"]
    ]
    told = [text.value for text in page.markdown]
    assert "1 charge failed, next on 02/15/2026, 12:00\N{NARROW NO-BREAK SPACE}PM." in told


@EVERY_ROLE
def test_everybody_sees_who_did_what(page_as, declined, role):
    page = page_as(role).visit("subscriptions.py", subscription=str(declined), subscription_tab="Activity")

    assert not page.exception
    did = page.dataframe[0].value["What"].tolist()
    assert did[0] == "Subscription: state"
    assert did[-1] == "Subscription: create"


def test_a_period_shows_how_many_invoices_it_has(page_as, sessions, gateway):
    public_id = subscribed(sessions, gateway)
    changed(sessions, gateway, public_id, at(1, 31, 12), plan_code="year")
    with sessions() as session:
        subscription_id = session.scalars(select(Subscription.id)).one()
    page = page_as("admin").visit("subscriptions.py", subscription=str(subscription_id))

    assert not page.exception
    begun = page.dataframe[1].value
    assert begun[["Total", "Given back", "Amount due", "Plan"]].values.tolist() == [["390.00", "30.00", "0.00", "Year"]]
    assert begun["Invoice"].tolist()[0].endswith(" and 1 more")


def test_usage_of_the_period_is_shown_where_the_plan_has_a_price_for_it(page_as, sessions):
    with sessions.begin() as session:
        a_plan(session, price_per_call="0.01")
        subscription_id = a_subscription(session)
    page = page_as("admin").visit("subscriptions.py", subscription=str(subscription_id), subscription_tab="Usage")

    assert not page.exception
    assert page.dataframe[0].value[["Used", "Cost so far"]].values.tolist() == [["0", "0.00"]]


def test_an_unknown_one_is_said_to_be_unknown(page_as, declined):
    page = page_as("admin").visit("subscriptions.py", subscription="999999")

    assert not page.exception
    assert "There is no such subscription" in page.error[0].value


@pytest.fixture
def held(sessions) -> int:
    """It stood still for four periods."""
    with sessions.begin() as session:
        a_plan(session)
        subscription_id = a_subscription(session)
    renewed(sessions, subscription_id, at(6, 1))
    with sessions() as session:
        assert state(session, subscription_id).held_at is not None
    return subscription_id


@OTHER_ROLES
def test_who_may_only_look_is_told_why_it_is_held(page_as, held, role):
    page = page_as(role).visit("subscriptions.py", subscription=str(held))

    assert not page.exception
    assert "More than 3 periods have begun since" in page.warning[0].value
    assert not any(button.label == "Release" for button in page.main.button)


def test_an_admin_releases_it(page_as, held, sessions):
    page = page_as("admin").visit("subscriptions.py", subscription=str(held))
    page.button(key="release_subscription").click().run()
    page.button(key="release_subscription").click()
    page.button(key="do_release_subscription").click().run()

    assert not page.exception
    with sessions() as session:
        assert state(session, held).held_at is None
    assert len(renewed(sessions, held, at(6, 1))) == 4


def test_cancelling_it_tells_which_days_are_not_billed_then(page_as, held):
    page = page_as("admin").visit("subscriptions.py", subscription=str(held))
    page.menu_button(key="subscription_more").click("Cancel").run()
    page.segmented_control(key="cancel_when").set_value("Now")
    page.menu_button(key="subscription_more").click("Cancel").run()

    assert not page.exception
    assert any("The days from **02/28/2026 to" in warning.value for warning in page.warning)


@pytest.fixture
def acme(sessions, data_dir) -> int:
    """A customer to sign up."""
    with sessions.begin() as session:
        a_plan(session, seat_price=D(5), included_seats=1, add_ons=SMS)
        promotions.create(session, SYSTEM, NewCode("HALF", percent=D(50)), now=BEGUN)
        promotions.create(session, SYSTEM, NewCode("CENTS", amount=D("29.70"), currency="USD"), now=BEGUN)
        return a_customer(session)


def opened(page_as, acme: int):
    page = page_as("admin").visit("subscriptions.py")
    page.button(key="new_subscription").click().run()
    page.selectbox(key="subscribe_customer").set_value(acme)
    page.button(key="new_subscription").click().run()
    page.selectbox(key="subscribe_plan").set_value("pro")
    page.button(key="new_subscription").click().run()
    return page


def test_a_first_charge_that_stripe_does_not_take_is_said_before(page_as, acme):
    """30.00 less 29.70."""
    page = opened(page_as, acme)
    page.text_input(key="subscribe_promo").set_value("cents")
    page.button(key="new_subscription").click().run()

    assert not page.exception
    told = next(text.value for text in page.markdown if "is charged at once" in text.value)
    assert "0.30 USD cannot be paid through Stripe, which takes no less than 0.50 USD at once" in as_read(told)


def test_what_it_bills_is_shown_before_and_then_charged(page_as, sessions, acme):
    page = opened(page_as, acme)
    page.number_input(key="subscribe_seats_pro").set_value(3)
    page.text_input(key="subscribe_promo").set_value("half")
    page.text_input(key="subscribe_tax").set_value("10")
    page.button(key="new_subscription").click().run()

    assert not page.exception
    # 15.00 for the plan and 10.00 for two seats, and a tenth on top: then 30.00 + 10.00, and a tenth.
    preview = next(table.value for table in page.dataframe if "Total, USD" in table.value.columns)
    assert preview["Total, USD"].tolist() == ["27.50", "44.00", "44.00", "44.00"]
    assert any("is charged at once" in text.value for text in page.markdown)
    page.button(key="new_subscription").click()
    page.button(key="do_subscribe").click().run()

    assert not page.exception
    with sessions() as session:
        made = session.scalars(select(Subscription)).one()
        invoice = session.scalars(select(Invoice)).one()
        assert (made.state, made.seats, made.tax_rate) == (SubscriptionState.ACTIVE, 3, D(10))
        assert (invoice.state, invoice.total_minor) == (InvoiceState.PAID, 27_50)
        assert page.query_params["subscription"] == str(made.id)


def test_a_card_that_is_declined_leaves_nothing_and_says_so(page_as, sessions, acme):
    page = opened(page_as, acme)
    page.selectbox(key=f"subscribe_paid_by_{acme}").set_value("pm_card_chargeCustomerFail")
    page.button(key="new_subscription").click()
    page.button(key="do_subscribe").click().run()

    assert not page.exception
    assert "declined" in page.error[0].value
    with sessions() as session:
        assert session.scalars(select(Subscription.id)).all() == []


def test_a_trial_with_an_add_on_and_a_mailed_link(page_as, sessions, acme):
    page = opened(page_as, acme)
    page.number_input(key="subscribe_trial").set_value(14)
    add_on = next(one for one in page.number_input if one.key.endswith("_sms"))
    add_on.set_value(2)
    page.selectbox(key=f"subscribe_paid_by_{acme}").set_value("")
    page.button(key="new_subscription").click()
    page.button(key="do_subscribe").click().run()

    assert not page.exception
    with sessions() as session:
        made = session.scalars(select(Subscription)).one()
        assert (made.state, made.add_ons, made.payment_method_id) == (SubscriptionState.TRIALING, {"sms": 2}, None)
        assert made.trial_ends_at - made.created_at == timedelta(days=14)


def test_what_cannot_be_is_refused_before_anything_is_offered(page_as, acme):
    page = opened(page_as, acme)
    page.text_input(key="subscribe_promo").set_value("nothing")
    page.button(key="new_subscription").click().run()

    assert not page.exception
    assert "There is no such promo code" in page.error[0].value
    assert not any(button.label == "Start the subscription" for button in page.main.button)


@OTHER_ROLES
def test_who_may_only_look_starts_none(page_as, acme, role):
    page = page_as(role).visit("subscriptions.py", subscriber=str(acme))

    assert not page.exception
    assert not any(button.label in ("New subscription", "Start the subscription") for button in page.main.button)


def test_a_customers_page_lists_its_own_and_begins_another(page_as, sessions, declined):
    with sessions() as session:
        customer_id = state(session, declined).customer_id
    page = page_as("admin").visit("customers.py", customer=str(customer_id), customer_tab="Subscriptions")

    assert not page.exception
    assert page.dataframe[0].value[["Open", "A month"]].values.tolist() == [[":material/open_in_new: Pro", "30.00"]]
    page = page_as("admin").visit("subscriptions.py", subscriber=str(customer_id))
    assert not page.exception
    assert page.selectbox(key="subscribe_customer").value == customer_id


@pytest.mark.usefixtures("mail_server")
@EVERY_ROLE
def test_one_click_mails_a_link_for_what_could_not_be_charged(page_as, sessions, declined, role):
    with sessions.begin() as session:
        session.execute(update(OutboxMessage).values(state=MessageState.DELIVERED, attempts=1))
    page = page_as(role).visit("subscriptions.py", subscription=str(declined))

    assert any("1 invoice could not be charged to the card: next on 02/15/2026" in one.value for one in page.warning)
    offered = [button for button in page.button if button.key == "mail_subscription_links"]
    assert len(offered) == (role == "admin")
    if offered:
        offered[0].click().run()
        assert not page.exception
        assert [as_read(one.value) for one in page.toast] == [MAILED]
        with sessions() as session:
            assert session.scalars(select(OutboxMessage.topic).where(OutboxMessage.channel == "mail")).all() == [
                "charge_failed",
                "charge_failed",
            ]


@pytest.mark.usefixtures("mail_server")
def test_a_click_on_the_overview_mails_a_link_for_what_could_not_be_charged(page_as, sessions, declined):
    with sessions.begin() as session:
        session.execute(update(OutboxMessage).values(state=MessageState.DELIVERED, attempts=1))
    page = press(page_as("admin").visit(), "Mail", row=0)

    assert not page.exception
    assert [as_read(one.value) for one in page.toast] == [MAILED]
    with sessions() as session:
        mails = select(OutboxMessage.topic).where(OutboxMessage.channel == "mail", OutboxMessage.attempts == 0)
        assert session.scalars(mails).all() == ["charge_failed"]


@EVERY_ROLE
def test_the_overview_tells_of_failed_charges_and_who_is_held(page_as, sessions, declined, role):
    with sessions.begin() as session:
        state(session, declined).held_at = at(2, 15)
    page = page_as(role).visit()

    assert not page.exception
    told = " ".join(text.value for text in page.markdown)
    assert "1 invoice could not be charged to a card" in told
    failed = page.dataframe[0].value
    assert failed[["Open", "Next attempt", "Due", "Invoices"]].values.tolist() == [
        [":material/open_in_new: Acme Corp", "02/15/2026, 12:00\N{NARROW NO-BREAK SPACE}PM", "30.00", 1]
    ]
    assert ("Mail" in failed.columns) == (role == "admin")
    assert "1 subscription not billed until somebody decides" in told
