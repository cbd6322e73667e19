"""Imports of before on the import page: what each changed, and taking it back."""

import pytest
from sqlalchemy import select

from billing_core.customers import service as customers
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.imports import service, steps
from billing_core.imports.posted import service as posting
from billing_core.imports.posted.queries import Poster
from billing_core.orders.models import Order
from tests.imports.files import incoming, row_count
from tests.invoices.company import GRACE
from tests.pages.as_read import as_read

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def visit(page_as, sessions):
    """1: ACME comes. 2: it is renamed, and [B] comes. 3: SO-1 of ACME."""
    for one in (
        incoming("customers", "customer_ref,name\nACME,Acme\n"),
        incoming("customers", "customer_ref,name\nACME,Acme Inc\n[B],B\n", file_name="erp.csv"),
        incoming("orders", "order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\n"),
    ):
        service.apply(sessions, SYSTEM, one, now=utc_now())
    page = page_as("admin")
    return lambda **address: page.visit("imports.py", **address)


def tables(page):
    return [table.value.values.tolist() for table in page.dataframe]


def test_imports_are_listed_by_what_they_are_of_and_when(visit):
    page = visit()
    (listed,) = page.dataframe
    assert listed.value["File"].tolist() == ["file.csv", "erp.csv", "file.csv"]
    page.selectbox(key="import_kind").select("orders").run()
    (listed,) = page.dataframe
    assert listed.value["What"].tolist() == ["Orders"]


def test_an_import_opens_to_what_it_changed(visit):
    page = visit(**{"import": "2"})
    made, cells, mapping, _list = tables(page)
    assert made == [["[B]"]]
    assert cells == [["ACME", "Changed", "name", "Acme", "Acme Inc"]]
    assert mapping == [["customer_ref", "customer_ref"], ["name", "name"]]
    assert any("/downloads/imports/history/2.csv)" in text.value for text in page.markdown)


def test_an_import_is_taken_back_after_it_was_said_what_that_does(visit, sessions):
    page = visit(**{"import": "2"})
    page.button(key="import_take_back").click().run()
    assert any(
        one.value == "1 row that it made would go; 1 row that it changed would be as before." for one in page.markdown
    )
    assert row_count(sessions, Customer) == 2
    page.button(key="import_do_take_back").click()
    page.button(key="import_take_back").click().run()
    assert not page.exception
    assert row_count(sessions, Customer) == 1
    page = visit(**{"import": "2"})
    assert any("Taken back by" in one.value for one in page.info)
    assert "import_take_back" not in {button.key for button in page.button}


def test_it_is_said_what_is_in_the_way(visit, sessions):
    page = visit(**{"import": "1"})
    page.button(key="import_take_back").click().run()
    (said,) = page.error
    assert "ACME has an order from import 3 (file.csv): take that back first" in as_read(said.value)
    assert "import_do_take_back" not in {button.key for button in page.button}
    assert (row_count(sessions, Customer), row_count(sessions, Order)) == (2, 1)


def test_what_people_have_changed_of_rows_that_would_go_is_named(visit, sessions):
    with sessions.begin() as session:
        b = session.scalars(select(Customer).where(Customer.ref == "[B]")).one()
        customers.change(session, GRACE, b.id, version=1, facts={"name": "Beate"}, now=utc_now())
    page = visit(**{"import": "2"})
    page.button(key="import_take_back").click().run()
    (said,) = page.warning
    assert "People have changed some of them since" in as_read(said.value)
    assert "[B] (by Grace Hopper)" in as_read(said.value)
    assert "import_do_take_back" in {button.key for button in page.button}


def test_an_import_that_a_program_posted_is_taken_back_like_any_other(page_as, sessions):
    program = Poster(actor_with(Role.ADMIN, user_id=None, name="API key shop"), "key:1")
    content = b"customer_ref,name\nACME,Acme\n"
    _posted, job = posting.post(
        sessions, program, "nightly.csv", [content], {}, when_certain=True, now=utc_now(), also=lambda _session: None
    )
    steps.work_off(sessions, job)
    assert row_count(sessions, Customer) == 1
    page = page_as("admin").visit("imports.py", **{"import": "1"})
    assert any(text.value.startswith("Import 1, by API key shop, ") for text in page.text)
    page.button(key="import_take_back").click().run()
    page.button(key="import_do_take_back").click()
    page.button(key="import_take_back").click().run()
    assert not page.exception
    assert row_count(sessions, Customer) == 0
