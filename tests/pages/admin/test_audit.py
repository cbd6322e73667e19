"""The page of the audit log."""

import pytest

from billing_core.audit import service
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from tests.pages.roles import EVERY_ROLE


@pytest.fixture
def history(sessions):
    with sessions.begin() as session:
        for number in range(60):
            service.record(
                session,
                SYSTEM,
                "customer.change",
                ("customer", number),
                label=f"Kunde {number}",
                before={"name": "Alt & Söhne", "active": True},
                after={"name": f"Neu {number}", "active": False},
                now=utc_now(),
            )


@EVERY_ROLE
def test_every_role_searches_it(page_as, history, role):
    page = page_as(role).visit("admin/audit.py", q="Neu 17")
    assert not page.exception
    assert list(page.dataframe[0].value["Name"]) == ["Kunde 17"]


def test_it_is_paged(page_as, history):
    visitor = page_as("finance")
    assert len(visitor.visit("admin/audit.py", action="customer.change").dataframe[0].value) == 50


def test_an_entry_shows_before_and_after(page_as, history):
    page = page_as("finance").visit("admin/audit.py", q="Neu 17", entry="18")
    changed = page.dataframe[0].value
    assert changed.values.tolist() == [["Name", "Alt & Söhne", "Neu 17"], ["Active", "yes", "no"]]


def test_nothing_found_says_what_to_do(page_as, history):
    page = page_as("finance").visit("admin/audit.py", q="no such thing")
    assert "Clear one of them" in page.info[0].value


@pytest.mark.parametrize("entry", ["0", "x", "-1", "9" * 30])
def test_an_address_that_leads_nowhere_is_no_accident(page_as, history, entry):
    assert not page_as("finance").visit("admin/audit.py", entry=entry).exception


def test_somebody_bound_to_one_customer_does_not_see_it(page_as):
    page = page_as("finance", customer_id=1).visit("admin/audit.py")
    assert "Your role does not allow" in page.error[0].value
