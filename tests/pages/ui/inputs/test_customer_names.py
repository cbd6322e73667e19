"""Whoever is to be chosen can be found, however many customers there are."""

import pytest
from sqlalchemy import insert

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from pages.ui.inputs.customer_names import MOST_OFFERED
from tests.reports.company import NOW, a_customer

PAGES = {
    "reports_customer": ("reports.py", {}),
    "run_customers": ("reports.py", {"tab": "Generate"}),
    "invite_customer": ("admin/people.py", {}),
}


# Where something new begins, and where what there is is read or paid.
NEW = {
    "run_customers": ("reports.py", {"tab": "Generate"}),
    "new_invoice_customer": ("invoice_editor.py", {}),
    "reports_customer": ("reports.py", {}),
    "invoices_customer": ("invoices.py", {}),
}


@pytest.fixture
def zed(sessions) -> int:
    """The last of more customers than any list offers."""
    with sessions.begin() as session:
        business_id = default_business(session).id
        rows = [
            {"business_id": business_id, "ref": f"C{n}", "name": f"Company {n}", "currency": "USD", "created_at": NOW}
            for n in range(MOST_OFFERED)
        ]
        session.execute(insert(Customer), rows)
        return a_customer(session, "ZED", name="Zed")


@pytest.mark.parametrize("key", PAGES)
def test_the_one_beyond_the_list_is_found_by_a_search(page_as, zed, key):
    file, query = PAGES[key]
    page = page_as("admin").visit(file, **query)
    picker = next(one for one in (*page.selectbox, *page.multiselect) if one.key == key)
    assert f"Zed ({zed})" not in picker.options

    page.text_input(key=f"{key}_search").set_value("zed").run()

    assert not page.exception
    picker = next(one for one in (*page.selectbox, *page.multiselect) if one.key == key)
    assert f"Zed ({zed})" in picker.options


def test_a_link_to_the_one_beyond_the_list_chooses_it(page_as, zed):
    page = page_as("admin").visit("reports.py", reports_customer=f"Zed ({zed})")

    assert page.selectbox(key="reports_customer").value == zed


@pytest.mark.parametrize("key", NEW)
def test_who_is_deactivated_is_offered_to_read_and_nothing_new(page_as, sessions, key):
    with sessions.begin() as session:
        a_customer(session, "ON", name="Going on")
        session.get_one(Customer, a_customer(session, "OFF", name="Given up")).active = False
    file, query = NEW[key]
    page = page_as("admin").visit(file, **query)
    picker = next(one for one in (*page.selectbox, *page.multiselect) if one.key == key)
    assert "Going on" in picker.options
    assert ("Given up" in picker.options) == (key in ("reports_customer", "invoices_customer"))
