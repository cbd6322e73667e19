"""The import page: from dropped files to imported rows, and what stands in the way."""

import pytest

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.imports import inbox
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.settings import settings
from tests.imports import northwind
from tests.imports.files import row_count
from tests.pages.roles import OTHER_ROLES

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Dropped files are kept in the test's own folder, and no test sees another's."""
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "data"))
    settings.cache_clear()
    yield
    inbox._register.clear()
    settings.cache_clear()


def drop(page, **files: str) -> None:
    (box,) = page.file_uploader
    for name, content in files.items():
        box.upload(f"{name}.csv", content.encode(), "text/csv")
    page.run()
    assert not page.exception


def press(page, key: str) -> None:
    """Press a button, and look again when the work that it began is over."""
    page.button(key=key).click().run()
    for received in inbox._register.values():
        if received.work is not None:
            received.work.join(300)
    page.run()
    assert not page.exception


def states() -> dict[str, str]:
    return {received.file_name: received.state.value for received in inbox._register.values()}


def metrics(page) -> list[tuple[str, str]]:
    return [(metric.label, metric.value) for metric in page.metric]


def test_the_four_sample_files_go_in_together(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(
        page,
        order_details=northwind.ORDER_DETAILS,
        products=northwind.PRODUCTS,
        orders=northwind.ORDERS,
        customers=northwind.CUSTOMERS,
    )
    assert page.button(key="import_check").disabled
    assert any("does not say whose products" in warning.value for warning in page.warning)
    (products,) = [f for f in inbox._register.values() if f.file_name == "products.csv"]

    page.selectbox(key=f"import_{products.token}_products_customer_ref").select("every customer").run()
    press(page, "import_check")

    assert states() == dict.fromkeys(
        ("order_details.csv", "products.csv", "orders.csv", "customers.csv"), "ready to import"
    )
    # In the order in which they depend on each other: customers, products, orders, lines.
    assert [value for label, value in metrics(page) if label == "New"] == ["6", "12", "3", "4"]
    assert row_count(sessions, Customer) == 0

    press(page, "import_apply")

    assert set(states().values()) == {"imported"}
    counts = [row_count(sessions, model) for model in (Customer, Product, Order, OrderLine)]
    assert counts == [6, 12, 3, 4]


@ONE_DATABASE
def test_rejected_rows_are_shown_with_their_reason_and_nothing_is_imported(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers=northwind.CUSTOMERS.replace("Germany", "Atlantis"))

    press(page, "import_check")

    assert states() == {"customers.csv": "refused"}
    assert page.button(key="import_apply").disabled
    (rejected,) = [table.value for table in page.dataframe if "Reason" in table.value.columns]
    assert rejected.values.tolist() == [
        [2, "Country", "Atlantis", "is not a country; use its name or its ISO code such as DE"]
    ]
    assert any("/rejected.csv)" in text.value for text in page.markdown)
    assert row_count(sessions, Customer) == 0


@ONE_DATABASE
def test_a_changed_column_must_be_checked_again(page_as):
    page = page_as("admin").visit("imports.py")
    drop(page, customers=northwind.CUSTOMERS)
    press(page, "import_check")
    assert not page.button(key="import_apply").disabled
    (received,) = inbox._register.values()

    page.selectbox(key=f"import_{received.token}_customers_phone").select("not in the file").run()

    assert states() == {"customers.csv": "not checked"}
    assert page.button(key="import_apply").disabled


@ONE_DATABASE
def test_the_same_value_for_every_row(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers="customer_ref,name\nA,Alpha\n")
    (received,) = inbox._register.values()
    key = f"import_{received.token}_customers_currency"
    page.selectbox(key=key).select("the same for every row").run()
    page.text_input(key=f"{key}_value").input("EUR").run()
    press(page, "import_check")
    press(page, "import_apply")
    with sessions() as session:
        assert session.query(Customer.currency).scalar() == "EUR"


@ONE_DATABASE
def test_what_is_no_csv_is_told_and_can_be_removed(page_as):
    page = page_as("admin").visit("imports.py")
    drop(page, workbook="PK\x03\x04 not text")
    assert page.error[0].value.replace("\\", "").startswith("This is not a CSV file but an Excel workbook")
    (received,) = inbox._register.values()
    page.button(key=f"import_{received.token}_remove").click().run()
    assert not inbox._register
    assert not received.folder.exists()


@ONE_DATABASE
def test_a_file_is_seen_by_whoever_dropped_it_alone(page_as):
    page = page_as("admin").visit("imports.py")
    drop(page, customers=northwind.CUSTOMERS)
    other = page_as("admin").visit("imports.py")
    assert not other.metric
    assert [info.value for info in other.info] != []


@ONE_DATABASE
def test_the_history_shows_also_an_import_that_changed_nothing(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    for _ in range(2):
        drop(page, customers=northwind.CUSTOMERS)
        press(page, "import_check")
        press(page, "import_apply")
        page.button(key="import_clear").click().run()
    (history,) = [table.value for table in page.dataframe if "Who" in table.value.columns]
    assert history[["File", "New", "Unchanged"]].values.tolist() == [["customers.csv", 0, 6], ["customers.csv", 6, 0]]
    assert row_count(sessions, AuditEntry) == 1


@OTHER_ROLES
def test_who_may_not_import_cannot_drop_files(page_as, role):
    page = page_as(role).visit("imports.py")
    assert "Your role does not allow this page" in page.error[0].value
    assert not page.file_uploader
