"""What can be done with a subscription on its page: change, cancel, pause, resume, another card."""

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.plans.terms import AddOn
from billing_core.settings import settings
from billing_core.subscriptions import signing_up
from billing_core.subscriptions.changes import changing, listing
from billing_core.subscriptions.changes.closing import OpenInvoices
from billing_core.subscriptions.changes.wanted import Wanted as Changed
from billing_core.subscriptions.models import (
    ChangeState,
    Subscription,
    SubscriptionChange,
    SubscriptionCharge,
    SubscriptionState,
)
from billing_core.subscriptions.service import Wanted
from pages.ui import formats
from pages.ui.text import md
from tests.invoices.company import a_customer
from tests.pages.pressing import press
from tests.pages.roles import OTHER_ROLES
from tests.subscriptions.signed_up import D, a_plan, state

pytestmark = pytest.mark.slow
SMS = (AddOn("sms", "SMS", {"USD": D(4)}),)


@pytest.fixture
def sub(sessions, data_dir) -> int:
    """Begun today, so that what more costs now is that of a whole period: *pro* is 30.00, *basic* 10.00 a month."""
    with sessions.begin() as session:
        a_plan(session, seat_price=D(5), included_seats=1, add_ons=SMS)
        a_plan(session, "basic", "10")
        customer = session.get_one(Customer, a_customer(session)).public_id
    gateway = SandboxGateway(sessions, settings())
    signing_up.subscribe(sessions, SYSTEM, gateway, Wanted(customer, "pro"), method="pm_card_visa", now=utc_now())
    with sessions() as session:
        return session.scalars(select(Subscription.id)).one()


def page_of(page_as, sub: int, role: str = "admin", **query):
    return page_as(role).visit("subscriptions.py", subscription=str(sub), **query)


def does(page, label: str, button: str | None, **fields: object):
    """Choose from the menu, fill in the dialog, press its button: the whole page runs each time, with its dialog."""
    page.menu_button(key="subscription_more").click(label).run()
    for key, value in fields.items():
        control = next(
            one for kind in (page.selectbox, page.button_group, page.text_input) for one in kind if one.key == key
        )
        control.set_value(value)
        page.menu_button(key="subscription_more").click(label).run()
    if button is None:
        return page
    page.menu_button(key="subscription_more").click(label)
    return page.button(key=button).click().run()


def told(page) -> str:
    return " ".join(text.value for text in page.markdown)


def test_more_seats_are_shown_and_then_charged(page_as, sessions, sub):
    page = page_of(page_as, sub)
    page.button(key="change_subscription").click().run()
    assert any("Choose what is to be different" in text.value for text in page.caption)
    page.number_input(key="change_seats_pro").set_value(3)
    page.button(key="change_subscription").click().run()

    assert not page.exception
    # Two more seats for a whole period; then 30.00 + 10.00.
    assert "Now **10\\.00" in told(page)
    assert "The next invoice is **40\\.00" in told(page)
    page.button(key="change_subscription").click()
    page.button(key="do_change_subscription").click().run()

    assert not page.exception
    with sessions() as session:
        assert state(session, sub).seats == 3
        assert sorted(session.scalars(select(Invoice.total_minor))) == [10_00, 30_00]


def test_less_is_scheduled_and_can_be_withdrawn(page_as, sessions, sub):
    page = page_of(page_as, sub)
    page.button(key="change_subscription").click().run()
    page.selectbox(key="change_plan").set_value("basic")
    page.button(key="change_subscription").click().run()
    assert "It is scheduled" in told(page)
    page.button(key="change_subscription").click()
    page.button(key="do_change_subscription").click().run()
    assert not page.exception

    page = page_of(page_as, sub, subscription_tab="Changes")
    assert page.dataframe[0].value["What"].tolist() == ["plan basic, 1 seat, no add-ons"]
    press(page, "Withdraw", row=0)
    with sessions() as session:
        asked = listing.page(session, SYSTEM, state(session, sub).public_id, limit=1)[0]
    page.session_state["subscription_change_to_withdraw"] = asked
    page.button(key="do_withdraw_change").click().run()

    assert not page.exception
    with sessions() as session:
        assert session.scalars(select(SubscriptionChange.state)).one() is ChangeState.WITHDRAWN


def test_one_that_is_charged_to_a_card_of_which_nothing_is_heard_can_be_withdrawn(page_as, sessions, sub, monkeypatch):
    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    gateway = SandboxGateway(sessions, settings())
    with sessions.begin() as session:
        public_id = state(session, sub).public_id
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            changing.change(sessions, SYSTEM, gateway, public_id, Changed(seats=3), now=utc_now())
    with sessions.begin() as session:
        session.scalars(select(PaymentMethodOnFile)).one().mode = Mode.LIVE
        asked = listing.page(session, SYSTEM, public_id, limit=1)[0]
    page = press(page_of(page_as, sub, subscription_tab="Changes"), "Withdraw", row=0)
    assert any("It is not known whether the card was charged" in text.value for text in page.caption)
    page.session_state["subscription_change_to_withdraw"] = asked
    page.button(key="do_withdraw_change").click().run()

    assert not page.exception
    with sessions() as session:
        assert session.scalars(select(SubscriptionChange.state)).one() is ChangeState.FAILED


def test_what_was_shown_is_what_is_charged_or_nothing_is(page_as, sessions, sub):
    page = page_of(page_as, sub)
    page.button(key="change_subscription").click().run()
    page.number_input(key="change_seats_pro").set_value(3)
    page.button(key="change_subscription").click().run()
    with sessions.begin() as session:
        state(session, sub).tax_rate = D(10)
    page.button(key="change_subscription").click()
    page.button(key="do_change_subscription").click().run()

    assert not page.exception
    assert "does not come to what was shown" in page.error[0].value
    with sessions() as session:
        assert state(session, sub).seats == 1


@OTHER_ROLES
def test_who_may_only_look_changes_nothing(page_as, sub, role):
    page = page_of(page_as, sub, role, subscription_tab="Changes")

    assert not page.exception
    assert "Change" not in {button.label for button in page.main.button}
    assert any("Nothing was changed" in text.value for text in page.caption)


def test_it_is_canceled_with_its_period_and_that_is_taken_back(page_as, sessions, sub):
    page = does(page_of(page_as, sub), "Cancel", "do_cancel_subscription", cancel_reason="Too expensive")
    assert not page.exception
    with sessions() as session:
        assert (state(session, sub).cancel_at_period_end, state(session, sub).state) == (True, SubscriptionState.ACTIVE)
        assert state(session, sub).cancel_reason == "Too expensive"

    page = does(page_of(page_as, sub), "Resume", "do_resume_subscription")
    assert not page.exception
    with sessions() as session:
        assert not state(session, sub).cancel_at_period_end


def test_it_is_canceled_at_once_with_the_unused_days_credited(page_as, sessions, sub):
    page = does(page_of(page_as, sub), "Cancel", None, cancel_when="Now")
    assert "This cannot be undone" in page.warning[0].value
    shown = next(text.value for text in page.markdown if "was billed for days after it" in text.value)
    page.menu_button(key="subscription_more").click("Cancel")
    page.button(key="do_cancel_subscription").click().run()

    assert not page.exception
    with sessions() as session:
        assert state(session, sub).state is SubscriptionState.CANCELED
        charged = session.scalars(select(SubscriptionCharge)).one()
        assert 0 < charged.credited_minor < charged.net_minor
        credited = md(formats.money(charged.credited_minor, "USD"))
    assert shown == (
        f"**{credited}** was billed for days after it: {credited} becomes credit that pays later invoices."
    )
    page = page_of(page_as, sub)
    assert "Change" not in {button.label for button in page.main.button}
    assert "Ended on" in told(page)


def test_what_cancelling_comes_to_has_to_be_looked_at_again_once_it_has_changed(page_as, sessions, sub):
    page = does(page_of(page_as, sub), "Cancel", None, cancel_when="Now")
    with sessions.begin() as session:
        state(session, sub).cancel_reason = "Asked by phone"
    page.menu_button(key="subscription_more").click("Cancel")
    page.button(key="do_cancel_subscription").click().run()

    assert not page.exception
    assert "does not come to what was shown" in page.error[0].value
    with sessions() as session:
        assert state(session, sub).state is SubscriptionState.ACTIVE


def test_what_becomes_of_open_invoices_is_shown_before(page_as, sessions, sub):
    with sessions.begin() as session:
        a_plan(session, "later", "20")
        customer = session.get_one(Customer, state(session, sub).customer_id).public_id
    gateway = SandboxGateway(sessions, settings())
    unpaid = signing_up.subscribe(sessions, SYSTEM, gateway, Wanted(customer, "later"), method=None, now=utc_now())
    with sessions() as session:
        open_one = session.scalars(select(Subscription.id).where(Subscription.public_id == unpaid)).one()
    page = does(page_of(page_as, open_one), "Cancel", None, cancel_when="Now", cancel_unpaid=OpenInvoices.VOID)
    assert not page.exception
    invoices = next(table.value for table in page.dataframe if "Due before" in table.value.columns)
    assert invoices[["Left, USD", "Due before", "Not used", "Cancelled"]].values.tolist() == [
        ["0.00", "20.00", "0.00", "20.00"]
    ]


def test_it_is_paused_and_resumed(page_as, sessions, sub):
    page = does(page_of(page_as, sub), "Pause", "do_pause_subscription")
    assert not page.exception
    page = page_of(page_as, sub)
    assert "Unbilled from" in told(page)
    assert page.dataframe[0].value["Total, USD"].tolist() == ["0.00", "0.00", "0.00"]
    page = does(page, "Resume", "do_resume_subscription")

    assert not page.exception
    with sessions() as session:
        assert state(session, sub).paused_at is None


def test_another_card_is_charged_from_now_on(page_as, sessions, sub):
    with sessions() as session:
        before, customer = state(session, sub).payment_method_id, state(session, sub).customer_id
    other = {f"other_method_paid_by_{customer}": "pm_card_authenticationRequired"}
    page = does(page_of(page_as, sub), "Other payment method", "do_other_method", **other)

    assert not page.exception
    with sessions() as session:
        assert state(session, sub).payment_method_id != before
    assert "3184" in told(page_of(page_as, sub))


def test_what_is_no_payment_method_is_refused(page_as, sessions, sub):
    with sessions() as session:
        before, customer = state(session, sub).payment_method_id, state(session, sub).customer_id
    other = {f"other_method_paid_by_{customer}": "other", "other_method_method": "4242 4242 4242 4242"}
    page = does(page_of(page_as, sub), "Other payment method", "do_other_method", **other)

    assert "This is no payment method" in page.error[0].value
    with sessions() as session:
        assert state(session, sub).payment_method_id == before
