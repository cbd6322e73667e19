"""The import page: from dropped files to imported rows, and what stands in the way."""

from datetime import date

import pytest
from sqlalchemy import select, update

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, Lines, Repeats, upkeep
from billing_core.imports.mapping import Together
from billing_core.imports.models import ImportFile, ImportFilePart
from billing_core.jobs import imports
from billing_core.metering.models import UsageEvent
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.processes import pausing
from billing_core.processes import service as processes
from billing_core.processes.models import ProcessKind, Queue
from tests.imports import northwind
from tests.imports.files import case, row_count
from tests.pages.as_read import as_read
from tests.pages.imports.dropping import drop, files, metrics, press, states
from tests.pages.roles import OTHER_ROLES
from tests.reports.company import a_customer, an_order

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_four_sample_files_go_in_together(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(
        page,
        order_details=northwind.ORDER_DETAILS,
        products=northwind.PRODUCTS,
        orders=northwind.ORDERS,
        customers=northwind.CUSTOMERS,
    )
    assert any("does not say whose products" in warning.value for warning in page.warning)
    (products,) = [f for f in files(sessions) if f.file_name == "products.csv"]

    page.selectbox(key=f"import_{products.token}_products_customer_ref").select("every customer").run()
    press(page, "import_check")

    assert states(sessions) == dict.fromkeys(
        ("order_details.csv", "products.csv", "orders.csv", "customers.csv"), "ready to import"
    )
    # In the order in which they depend on each other: customers, products, orders, lines.
    assert [value for label, value in metrics(page) if label == "New"] == ["6", "12", "3", "4"]
    assert row_count(sessions, Customer) == 0

    press(page, "import_apply")

    assert set(states(sessions).values()) == {"imported"}
    counts = [row_count(sessions, model) for model in (Customer, Product, Order, OrderLine)]
    assert counts == [6, 12, 3, 4]


@ONE_DATABASE
def test_rejected_rows_are_shown_with_their_reason_and_nothing_is_imported(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers=northwind.CUSTOMERS.replace("Alfreds Futterkiste", ""))

    press(page, "import_check")

    assert states(sessions) == {"customers.csv": "refused"}
    assert page.button(key="import_apply").disabled
    (groups,) = [table.value for table in page.dataframe if "What to do" in table.value.columns]
    assert groups.values.tolist() == [
        [1, "CompanyName", "is empty", "blank (1)", "Say what a blank is to be read as, or fill them in"]
    ]
    (rejected,) = [table.value for table in page.dataframe if "Reason" in table.value.columns]
    assert rejected.values.tolist() == [[2, "CompanyName", "", "is empty"]]
    assert any("/rejected.csv)" in text.value for text in page.markdown)
    assert metrics(page) == [("Would be new", "5"), ("Would change", "0"), ("Unchanged", "0"), ("Rejected", "1")]
    assert row_count(sessions, Customer) == 0


@ONE_DATABASE
def test_one_answer_mends_all_rows_of_a_value(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers="customer_ref,name,email\nA,a,Atlantis\nB,b,Atlantis\nC,c,\n")
    press(page, "import_check")
    (file,) = files(sessions)
    page.text_input(key=f"import_{file.token}_mend_0_0").set_value("a@x.example")
    press(page, f"import_{file.token}_mend_0_save")
    assert states(sessions) == {"customers.csv": "not checked"}
    press(page, "import_check")
    press(page, "import_apply")
    with sessions() as session:
        assert session.scalars(select(Customer.email).order_by(Customer.ref)).all() == [
            "a@x.example",
            "a@x.example",
            "",
        ]


@ONE_DATABASE
def test_rejected_rows_are_set_aside_where_somebody_says_so(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers="customer_ref,name,email\nA,a,Atlantis\nB,b,b@x.example\n")
    press(page, "import_check")
    (file,) = files(sessions)
    page.checkbox(key=f"import_{file.token}_set_aside").set_value(True).run()
    assert not page.exception
    press(page, "import_check")
    assert any("would be set aside: 1" in warning.value for warning in page.warning)
    press(page, "import_apply")
    assert ("Set aside", "1") in metrics(page)
    assert any("/rejected.csv)" in text.value for text in page.markdown)
    with sessions() as session:
        assert session.scalars(select(Customer.ref)).all() == ["B"]
        assert session.scalars(select(AuditEntry.after)).all()[-1]["set_aside"] == 1


@ONE_DATABASE
def test_months_with_orders_are_offered_to_be_reported(page_as, sessions):
    with sessions.begin() as session:
        a_customer(session, "C1")
    page = page_as("admin").visit("imports.py")
    drop(page, orders="order_number,customer_ref,order_date,status\n1,C1,2026-03-05,shipped\n2,C1,2026-03-06,shipped\n")
    press(page, "import_check")
    press(page, "import_apply")
    (months,) = [link for link in page.get("page_link") if "generate" in link.label]
    assert months.label == "March 2026: generate reports of 2 orders"
    assert "run_period_days=2026-03-01&run_period_days=2026-03-31" in months.proto.query_string


@ONE_DATABASE
def test_one_bad_file_does_not_hold_up_the_others(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(
        page,
        customers="customer_ref,name\nA,\n",
        services="service_code,name,cost_type\nPICK,Picking,per_item\n",
        orders="order_number,customer_ref,order_date\n1,A,2026-01-01\n",
        products="sku,name\nA,Anvil\n",
    )
    products = next(file for file in files(sessions) if file.file_name == "products.csv")
    page.selectbox(key=f"import_{products.token}_kind").select(Kind.PRODUCTS).run()
    press(page, "import_check")
    assert states(sessions) == {
        "customers.csv": "refused",
        "services.csv": "ready to import",
        "orders.csv": "refused",
        "products.csv": "not checked",
    }
    assert any("Waits for customers" in error.value for error in page.error)
    assert any("Of 4 files 1 can be imported" in caption.value for caption in page.caption)
    press(page, "import_apply")
    assert states(sessions)["services.csv"] == "imported"
    assert any(link.label == "1 service is on no rate card: set their prices" for link in page.get("page_link"))


@ONE_DATABASE
def test_a_file_of_lines_asks_what_becomes_of_those_there_are(page_as, sessions):
    """SO-1 of 4 of A-1; the file has 1 of B."""
    with sessions.begin() as session:
        an_order(session, a_customer(session), "SO-1")
    page = page_as("admin").visit("imports.py")
    drop(page, lines="order_number,sku,quantity\nSO-1,B,1\n")
    (file,) = files(sessions)
    press(page, "import_check")
    assert states(sessions) == {"lines.csv": "refused"}
    assert any("One order of this file has other lines already" in error.value for error in page.error)
    assert page.button(key="import_apply").disabled

    page.radio(key=f"import_{file.token}_lines").set_value(Lines.REPLACE).run()
    press(page, "import_check")

    assert states(sessions) == {"lines.csv": "ready to import"}
    assert ("Removed", "1") in metrics(page)
    (gone,) = [table.value for table in page.dataframe if "SKU" in table.value.columns]
    assert gone.values.tolist() == [["SO-1", "A-1", "4"]]
    assert any("/removed.csv)" in text.value for text in page.markdown)
    press(page, "import_apply")
    with sessions() as session:
        assert list(session.scalars(select(OrderLine.sku))) == ["B"]


@ONE_DATABASE
def test_a_file_whose_rows_of_one_key_differ_asks_which_of_them_counts(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers="customer_ref,name\nA,Alpha\nA,Alpha Ltd\n")
    (file,) = files(sessions)
    assert not page.radio
    press(page, "import_check")
    assert states(sessions) == {"customers.csv": "refused"}
    assert any("say whether the first or the last row of a key counts" in error.value for error in page.error)

    page.radio(key=f"import_{file.token}_repeats").set_value(Repeats.LAST).run()
    press(page, "import_check")
    assert ("Passed over", "1") in metrics(page)
    press(page, "import_apply")
    with sessions() as session:
        assert list(session.scalars(select(Customer.name))) == ["Alpha Ltd"]


@ONE_DATABASE
def test_the_newest_row_of_a_key_counts_where_a_column_says_which_that_is(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(
        page, customers="customer_ref,name,Updated at,Since\nA,New,2026-03-05,2020-01-01\nA,Old,2026-03-04,2021-01-01\n"
    )
    (file,) = files(sessions)
    press(page, "import_check")
    repeats = page.radio(key=f"import_{file.token}_repeats")
    assert [option.split(":")[0] for option in repeats.options] == [
        "The first",
        "The last",
        "The newest, by a column that says when",
    ]
    repeats.set_value(Repeats.NEWEST).run()
    by = page.selectbox(key=f"import_{file.token}_newest_by")
    assert (by.value, by.options) == ("Updated at", ["Updated at", "Since"])
    press(page, "import_check")
    assert ("Passed over", "1") in metrics(page)
    page.selectbox(key=f"import_{file.token}_newest_by").select("Since").run()
    assert states(sessions) == {"customers.csv": "not checked"}
    press(page, "import_check")
    press(page, "import_apply")
    with sessions() as session:
        assert list(session.scalars(select(Customer.name))) == ["Old"]


@ONE_DATABASE
def test_words_that_are_not_understood_are_answered_once_each(page_as, sessions):
    with sessions.begin() as session:
        a_customer(session, "C1")
    page = page_as("admin").visit("imports.py")
    drop(page, orders=case("foreign_statuses.csv").decode())
    (file,) = files(sessions)
    press(page, "import_check")
    assert states(sessions) == {"orders.csv": "refused"}
    assert any("2 words that are not understood, on 2 rows" in error.value for error in page.error)
    assert ("Waiting", "2") in metrics(page)
    key = f"import_{file.token}_orders_status_word_"
    assert as_read(page.selectbox(key=f"{key}On Hold").label) == "status: “On Hold” · 1 row"
    assert row_count(sessions, Order) == 0

    use_words(page)
    assert states(sessions) == {"orders.csv": "refused"}, "nothing was answered"
    page.selectbox(key=f"{key}On Hold").select("submitted")
    page.selectbox(key=f"{key}refunded").select("leave-out")
    use_words(page)
    assert states(sessions) == {"orders.csv": "not checked"}
    press(page, "import_check")
    assert ("Left out", "1") in metrics(page)
    press(page, "import_apply")
    with sessions() as session:
        statuses = session.execute(select(Order.number, Order.status).order_by(Order.number)).all()
    assert [tuple(row) for row in statuses] == [("1", "shipped"), ("2", "submitted"), ("3", "cancelled")]

    # The layout is known from now on, and its answers can be changed.
    page.button(key="import_clear").click().run()
    drop(page, again=case("foreign_statuses.csv").decode())
    (again,) = files(sessions)
    assert page.selectbox(key=f"import_{again.token}_orders_status_word_On Hold").value == "submitted"


@ONE_DATABASE
def test_the_page_tells_how_words_were_read(page_as, sessions):
    with sessions.begin() as session:
        a_customer(session, "C1")
    page = page_as("admin").visit("imports.py")
    drop(page, orders="order_number,customer_ref,order_date,status\n1,C1,2026-01-05,Complete\n")
    press(page, "import_check")
    (read,) = [table.value for table in page.dataframe if "Stands for" in table.value.columns]
    assert read.values.tolist() == [["status", "Complete", "completed", 1]]


def use_words(page) -> None:
    (use,) = [button for button in page.button if button.label == "Use these"]
    use.click().run()
    assert not page.exception


@ONE_DATABASE
def test_orders_of_which_the_file_does_not_say_the_status_are_counted(page_as, sessions):
    with sessions.begin() as session:
        a_customer(session, "C1")
    page = page_as("admin").visit("imports.py")
    drop(page, orders="OrderID,CustomerID,OrderDate,ShippedDate\n1,C1,2026-01-05,2026-01-07\n2,C1,2026-01-05,\n")
    (file,) = files(sessions)
    assert any(as_read(text.value) == "Columns of the file that are not used: ShippedDate" for text in page.caption)
    press(page, "import_check")
    (warning,) = [as_read(warning.value) for warning in page.warning]
    assert warning.startswith("New orders without a status in this file: 2.")
    assert warning.endswith("choose one as the status: ShippedDate.")

    page.selectbox(key=f"import_{file.token}_orders_status").select("ShippedDate").run()
    press(page, "import_check")
    page.selectbox(key=f"import_{file.token}_orders_status_word_any date").select("shipped")
    use_words(page)
    press(page, "import_check")
    press(page, "import_apply")
    with sessions() as session:
        assert dict(map(tuple, session.execute(select(Order.number, Order.status)))) == {
            "1": "shipped",
            "2": "submitted",
        }


@ONE_DATABASE
def test_several_columns_can_be_one_value(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers="Id,Firm name,Given,Family\n1,,Ada,Byron\n2,Day Ltd,Cy,Day\n")
    (file,) = files(sessions)
    key = f"import_{file.token}_customers_name"
    page.selectbox(key=key).select("several columns").run()
    page.multiselect(key=f"{key}_columns").set_value(["Given", "Family"]).run()
    assert files(sessions)[0].mapping["name"] == {"columns": ["Given", "Family"], "together": "joined"}
    page.multiselect(key=f"{key}_columns").set_value(["Firm name", "Family"]).run()
    page.button_group(key=f"{key}_together").set_value(Together.FIRST).run()
    press(page, "import_check")
    press(page, "import_apply")
    with sessions() as session:
        assert list(session.scalars(select(Customer.name).order_by(Customer.ref))) == ["Byron", "Day Ltd"]


@ONE_DATABASE
def test_a_changed_column_must_be_checked_again(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers=northwind.CUSTOMERS)
    press(page, "import_check")
    assert not page.button(key="import_apply").disabled
    (received,) = files(sessions)

    page.selectbox(key=f"import_{received.token}_customers_phone").select("not in the file").run()

    assert states(sessions) == {"customers.csv": "not checked"}
    assert page.button(key="import_apply").disabled


@ONE_DATABASE
def test_how_a_column_is_written_is_asked_and_can_be_asked_again(page_as, sessions):
    with sessions.begin() as session:
        a_customer(session)
    page = page_as("admin").visit("imports.py")
    drop(page, orders="order_number,customer_ref,order_date\nSO-1,ACME,03/04/2025\n")
    press(page, "import_check")
    assert states(sessions) == {"orders.csv": "refused"}
    (file,) = files(sessions)
    key = f"import_{file.token}_orders_order_date_day-first_month-first"
    assert list(map(as_read, page.radio(key=key).options)) == [
        "Day first: 03/04/2025 is 2025-04-03",
        "Month first: 03/04/2025 is 2025-03-04",
    ]

    page.radio(key=key).set_value("month-first").run()
    assert any("is written so: month first" in caption.value for caption in page.caption)
    press(page, f"import_{file.token}_orders_order_date_ask")
    press(page, "import_check")
    page.radio(key=key).set_value("day-first").run()
    press(page, "import_check")
    press(page, "import_apply")
    assert states(sessions) == {"orders.csv": "imported"}
    with sessions() as session:
        assert session.scalar(select(Order.order_date)) == date(2025, 4, 3)


def test_usage_goes_in_once_with_the_customers_that_it_is_of(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    customers = "customer_ref,name\nACME,Acme Inc\n"
    usage = "event_id,customer_ref,time,user\n1,ACME,2026-03-10T10:00:00Z,ana\n2,ACME,2026-03-10T10:00:01Z,ben\n"
    for new in (["1", "2"], ["0", "0"]):
        drop(page, usage=usage, customers=customers)
        press(page, "import_check")
        assert states(sessions) == {"usage.csv": "ready to import", "customers.csv": "ready to import"}
        assert [value for label, value in metrics(page) if label == "New"] == new
        press(page, "import_apply")
        page.button(key="import_clear").click().run()
        assert row_count(sessions, UsageEvent) == 2


@ONE_DATABASE
def test_the_same_value_for_every_row(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers="customer_ref,name\nA,Alpha\n")
    (received,) = files(sessions)
    key = f"import_{received.token}_customers_currency"
    page.selectbox(key=key).select("the same for every row").run()
    page.text_input(key=f"{key}_value").input("EUR").run()
    press(page, "import_check")
    press(page, "import_apply")
    with sessions() as session:
        assert session.query(Customer.currency).scalar() == "EUR"


@ONE_DATABASE
def test_what_is_no_table_is_told_and_can_be_removed(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, workbook="PK\x03\x04 not text")
    assert as_read(page.error[0].value).startswith("This is a ZIP file or an Excel workbook that is damaged")
    (received,) = files(sessions)
    page.button(key=f"import_{received.token}_remove").click().run()
    assert files(sessions) == []
    upkeep.forget(sessions, now=utc_now())
    assert (row_count(sessions, ImportFile), row_count(sessions, ImportFilePart)) == (0, 0)


@ONE_DATABASE
def test_how_a_file_is_read_is_shown_where_it_was_guessed_and_can_be_changed(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers="customer_ref;name\nC1;Łódź\nTotal;\n".encode("iso8859-2"))
    (received,) = files(sessions)
    assert [found.proto.expanded for found in page.expander if found.label == "How the file is read"] == [True]
    page.selectbox(key=f"import_{received.token}_encoding").select("iso8859-2").run()
    press(page, "import_check")
    (left_out,) = page.multiselect
    assert left_out.value == [3]
    left_out.set_value([]).run()
    press(page, "import_check")
    assert states(sessions) == {"customers.csv": "refused"}, "a total has no name, and is a row now"
    (left_out,) = page.multiselect
    left_out.set_value([3]).run()
    press(page, "import_check")
    press(page, "import_apply")
    with sessions() as session:
        assert session.execute(select(Customer.ref, Customer.name)).all() == [("C1", "Łódź")]


@ONE_DATABASE
def test_a_text_that_cannot_be_read_as_was_chosen_says_so_and_can_be_read_otherwise(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers="customer_ref,name\nC1,Müller\n".encode("latin-1"))
    (received,) = files(sessions)
    page.selectbox(key=f"import_{received.token}_encoding").select("utf-8-sig").run()
    assert "is not UTF-8" in as_read(page.error[0].value)
    page.selectbox(key=f"import_{received.token}_encoding").select("latin-1").run()
    assert not page.error
    assert files(sessions)[0].preview == [["C1", "Müller"]]


@ONE_DATABASE
def test_a_file_is_seen_by_whoever_dropped_it_alone(page_as):
    page = page_as("admin").visit("imports.py")
    drop(page, customers=northwind.CUSTOMERS)
    other = page_as("admin").visit("imports.py")
    assert not other.metric
    assert [info.value for info in other.info] != []


@ONE_DATABASE
def test_work_that_nobody_does_says_so_and_can_be_called_off(page_as, sessions, monkeypatch):
    monkeypatch.setattr(imports, "begin", lambda _job_id: None)
    page = page_as("admin").visit("imports.py")
    drop(page, customers=northwind.CUSTOMERS)
    press(page, "import_check")

    def said(page) -> list[str]:
        return [as_read(bar.proto.text) for bar in page.get("progress")]

    assert said(page) == ["customers.csv, customers: waiting for a process: at present none is running"]
    with sessions.begin() as session:
        processes.register(session, "app-1", ProcessKind.APP, host="here", pid=1, version="1")
    assert said(page.run()) == ["customers.csv, customers: waiting for its turn"]
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, Queue.IMPORTS, now=utc_now())
    assert said(page.run()) == ["customers.csv, customers: waiting until imports, which are paused, are resumed"]
    assert page.button(key="import_check").disabled

    press(page, "import_cancel")

    assert states(sessions) == {"customers.csv": "not checked"}
    assert not page.button(key="import_check").disabled


@ONE_DATABASE
def test_the_page_shows_after_a_restart_what_it_showed_before(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, customers=northwind.CUSTOMERS)
    press(page, "import_check")
    assert not page.button(key="import_apply").disabled
    sessions.engine.dispose()

    again = page_as("admin")
    (owner,) = [file.owner_id for file in files(sessions)]
    with sessions.begin() as session:
        session.execute(update(ImportFile).values(owner_id=again.user_id))
    shown = again.visit("imports.py")

    assert owner != again.user_id
    assert metrics(shown) == metrics(page)
    assert not shown.button(key="import_apply").disabled


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
