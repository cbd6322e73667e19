"""The page about our own business."""

import pytest

from billing_core.businesses import service
from billing_core.businesses.queries import default_business
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM


def saved(sessions):
    with sessions() as session:
        return service.details(default_business(session))


def test_details_are_saved(page_as, sessions):
    page = page_as("admin").visit("admin_business.py")
    page.text_input(key="business_name_0").set_value("Söhne & Co")
    page.selectbox(key="business_currency_0").set_value("EUR")
    page.selectbox(key="business_time_zone_0").set_value("Europe/Berlin")
    page.button(key="business_save").click().run()
    assert not page.exception
    assert page.success[0].value == "Saved."
    assert saved(sessions) == service.Details("Söhne & Co", "", "", "EUR", "Europe/Berlin")


def test_a_stale_form_is_refused_and_says_what_changed(page_as, sessions):
    page = page_as("admin").visit("admin_business.py")
    with sessions.begin() as session:
        wanted = service.Details("Theirs", "", "", "USD", "UTC")
        service.change(session, SYSTEM, wanted=wanted, drawn_from=1, now=utc_now())
    page.text_input(key="business_name_0").set_value("Mine")
    page.button(key="business_save").click().run()
    assert "name is now “Theirs”" in page.error[0].value
    assert saved(sessions).name == "Theirs"
    page.button(key="business_discard").click().run()
    assert page.text_input(key="business_name_1").value == "Theirs"


def test_an_empty_name_is_refused(page_as, sessions):
    page = page_as("admin").visit("admin_business.py")
    page.text_input(key="business_name_0").set_value("  ")
    page.button(key="business_save").click().run()
    assert page.error
    assert saved(sessions).name == "My business"


@pytest.mark.parametrize("role", ["finance", "manager"])
def test_only_administrators_see_it(page_as, role):
    assert "Your role does not allow" in page_as(role).visit("admin_business.py").error[0].value
