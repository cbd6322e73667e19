"""What a file changes: only what it says, only once, with a trace."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.imports.models import ImportRun
from billing_core.orders.models import Order, OrderLine, OrderStatus, Product
from billing_core.reports.models import BillingMonth
from tests.imports.files import counts, incoming, row_count

pytestmark = pytest.mark.slow

ORDER = "order_number,customer_ref,order_date"


def lines_of(sessions) -> list[tuple[str, int, Decimal]]:
    statement = select(OrderLine.sku, OrderLine.position, OrderLine.quantity)
    with sessions() as session:
        return [tuple(row) for row in session.execute(statement.order_by(OrderLine.sku, OrderLine.position))]


def test_a_changed_order_is_updated_and_its_change_recorded(one_order, take_in, sessions):
    outcome = take_in("orders", f"{ORDER},status,weight\nSO-1,ACME,2025-04-05,done,12.5\n")

    assert counts(outcome) == (0, 1, 0, 0)
    assert [(c.line, c.row, c.column, c.old, c.new) for c in outcome.changes] == [
        (2, "SO-1", "order_date", date(2025, 3, 4), date(2025, 4, 5)),
        (2, "SO-1", "status", "submitted", "completed"),
        (2, "SO-1", "weight", None, Decimal("12.5")),
    ]
    with sessions() as session:
        order = session.scalars(select(Order)).one()
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (order.order_date, order.status, order.weight) == (date(2025, 4, 5), OrderStatus.COMPLETED, Decimal("12.5"))
    assert entry.before == {
        "SO-1: order_date": "2025-03-04",
        "SO-1: status": "submitted",
        "SO-1: weight": "None",
    }
    assert (entry.action, entry.subject_kind, entry.after["changed"]) == ("import", "import", 1)


def test_the_kept_totals_follow_an_order_from_its_old_month_to_its_new_one(one_order, take_in, sessions):
    take_in("orders", f"{ORDER}\nSO-1,ACME,2025-04-05\n")
    with sessions() as session:
        months = session.execute(select(BillingMonth.month, BillingMonth.orders).where(BillingMonth.orders > 0)).all()
    assert [tuple(month) for month in months] == [(date(2025, 4, 1), 1)]


def test_columns_that_the_file_lacks_stay_as_they_are(two_customers, take_in, sessions):
    take_in("orders", f"{ORDER},status,notes\nSO-1,ACME,2025-03-04,shipped,ring twice\n")

    outcome = take_in("orders", f"{ORDER}\nSO-1,ACME,2025-03-04\n")

    assert counts(outcome) == (0, 0, 1, 0)
    with sessions() as session:
        order = session.scalars(select(Order)).one()
    assert (order.status, order.notes) == (OrderStatus.SHIPPED, "ring twice")


def test_a_cell_that_the_file_empties_becomes_empty(two_customers, take_in, sessions):
    take_in("orders", f"{ORDER},weight,notes\nSO-1,ACME,2025-03-04,5,ring twice\n")
    take_in("orders", f"{ORDER},weight,notes\nSO-1,ACME,2025-03-04,,\n")
    with sessions() as session:
        order = session.scalars(select(Order)).one()
    assert (order.weight, order.notes) == (None, "")


def test_an_import_that_changes_nothing_leaves_a_run_and_no_audit_entry(one_order, take_in, sessions):
    before = row_count(sessions, AuditEntry), row_count(sessions, ImportRun)
    take_in("orders", f"{ORDER}\nSO-1,ACME,2025-03-04\n")
    assert (row_count(sessions, AuditEntry), row_count(sessions, ImportRun)) == (before[0], before[1] + 1)


def test_a_sku_named_again_is_a_further_line(one_order, take_in, sessions):
    file = "order_number,sku,quantity\nSO-1,A,1\nSO-1,B,5\nSO-1,a ,2\nSO-1,A,1\n"
    assert counts(take_in("order-items", file)) == (4, 0, 0, 0)
    assert lines_of(sessions) == [
        ("A", 1, Decimal(1)),
        ("A", 3, Decimal(1)),
        ("B", 1, Decimal(5)),
        ("a", 2, Decimal(2)),
    ]
    assert counts(take_in("order-items", file)) == (0, 0, 4, 0)
    assert counts(take_in("order-items", file.replace("SO-1,B,5", "SO-1,B,6"), lines="change")) == (0, 1, 3, 0)


def test_lines_that_the_file_does_not_name_stay(one_order, take_in, sessions):
    take_in("order-items", "order_number,sku,quantity\nSO-1,A,1\nSO-1,B,2\n")
    take_in("order-items", "order_number,sku,quantity\nSO-1,C,3\n", lines="change")
    assert [sku for sku, _, _ in lines_of(sessions)] == ["A", "B", "C"]


def test_one_customer_for_all_products_of_a_file(two_customers, take_in, sessions):
    assert counts(take_in("products", "sku,case_size\nA,12\nB,\n", "customer_ref==BETA")) == (2, 0, 0, 0)
    with sessions() as session:
        rows = session.execute(
            select(Customer.ref, Product.sku, Product.case_size).join(Customer, Customer.id == Product.customer_id)
        )
        assert sorted(tuple(row) for row in rows) == [("BETA", "A", Decimal(12)), ("BETA", "B", None)]


def test_a_blank_currency_is_the_business_s_own_or_stays(two_customers, take_in, sessions):
    outcome = take_in("customers", "customer_ref,name,currency\nBETA,Beta GmbH,\nNEW,New,\n")
    assert counts(outcome) == (1, 0, 1, 0)
    with sessions() as session:
        currencies = dict(map(tuple, session.execute(select(Customer.ref, Customer.currency))))
    assert currencies == {"ACME": "USD", "BETA": "EUR", "NEW": "USD"}


def test_a_language_and_the_region_of_its_formats_are_taken_from_a_file(two_customers, take_in, sessions):
    rows = "ACME,Acme,German,Switzerland\nBETA,Beta,,\nNEW,New,,IN\nOLD,Old,fr,Canada\n"
    assert counts(take_in("customers", f"customer_ref,name,language,format_region\n{rows}")) == (2, 2, 0, 0)
    take_in("customers", "customer_ref,name,language\nACME,Acme,\n")
    with sessions() as session:
        kept = session.execute(select(Customer.ref, Customer.language, Customer.format_region).order_by(Customer.ref))
        assert [tuple(row) for row in kept] == [
            ("ACME", "de", "CH"),
            ("BETA", "en", ""),
            ("NEW", "en", "IN"),
            ("OLD", "fr", "CA"),
        ]


def test_a_language_that_nobody_writes_and_a_region_without_one_are_refused(take_in):
    outcome = take_in("customers", "customer_ref,name,language,format_region\nX,X,Klingon,\nY,Y,de,Japan\n")
    assert [(one.field, one.word) for one in outcome.asked] == [("language", "Klingon"), ("format_region", "Japan")]
    assert outcome.refused


def test_a_changed_customer_keeps_its_ids_and_counts_its_version(two_customers, take_in, sessions):
    with sessions() as session:
        before = session.scalars(select(Customer).where(Customer.ref == "ACME")).one()
    take_in("customers", "customer_ref,name\nACME,Acme Corporation\n")
    with sessions() as session:
        after = session.scalars(select(Customer).where(Customer.ref == "ACME")).one()
    assert (after.name, after.version) == ("Acme Corporation", before.version + 1)
    assert (after.id, after.uuid, after.public_id, after.created_at) == (
        before.id,
        before.uuid,
        before.public_id,
        before.created_at,
    )


def test_a_dry_run_says_what_the_import_then_does_and_writes_nothing(one_order, take_in, dry_run, sessions):
    file = f"{ORDER}\nSO-1,ACME,2025-03-05\nSO-2,BETA,2025-03-05\n"
    rehearsed = dry_run("orders", file)
    assert (row_count(sessions, Order), row_count(sessions, ImportRun)) == (1, 2)
    assert counts(rehearsed) == counts(take_in("orders", file)) == (1, 1, 0, 0)


def test_files_are_rehearsed_together_in_their_order_and_nothing_stays(sessions):
    files = [
        incoming("customers", "customer_ref,name\nACME,Acme Inc\n"),
        incoming("products", "sku\nA\nB\n", "customer_ref==*"),
        incoming("orders", f"{ORDER}\nSO-1,ACME,2025-03-04\nSO-2,NOBODY,2025-03-04\n"),
        incoming("order-items", "order_number,sku\nSO-1,A\n"),
    ]
    answers = service.rehearse(sessions, SYSTEM, files, now=utc_now())
    assert [counts(answer) for answer in answers[:3]] == [(1, 0, 0, 0), (2, 0, 0, 0), (1, 0, 0, 1)]
    assert str(answers[3]).startswith("No column of the file is quantity.")
    assert [row_count(sessions, model) for model in (Customer, Product, Order, ImportRun)] == [0, 0, 0, 0]


ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y", "X "]), st.integers(0, 5)), min_size=1, max_size=8
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, more=ROWS)
def test_the_same_lines_again_change_nothing_whatever_came_between(two_customers, take_in, sessions, rows, more):
    take_in("orders", f"{ORDER}\na,ACME,2025-03-04\nb,BETA,2025-03-04\n")
    file, other = (
        "order_number,sku,quantity\n" + "".join(f"{order},{sku},{quantity}\n" for order, sku, quantity in chosen)
        for chosen in (rows, more)
    )
    take_in("order-items", file, lines="change")
    assert counts(take_in("order-items", file, lines="change")) == (0, 0, len(rows), 0)
    take_in("order-items", other, lines="change")
    take_in("order-items", file, lines="change")
    before = lines_of(sessions)
    assert counts(take_in("order-items", file, lines="change")) == (0, 0, len(rows), 0)
    assert lines_of(sessions) == before


def test_a_run_names_its_file_its_author_and_its_time(sessions):
    now = datetime(2025, 3, 4, 5, 6, tzinfo=UTC)
    service.apply(sessions, SYSTEM, incoming("customers", "customer_ref,name\nA,B\n", file_name="erp.csv"), now=now)
    with sessions() as session:
        run = session.scalars(select(ImportRun)).one()
    assert (run.kind, run.file_name, run.created_by, run.created_at, run.new_count) == (
        "customers",
        "erp.csv",
        "system",
        now,
        1,
    )


def test_programs_find_a_customer_by_the_address_that_a_file_gave_it(take_in, sessions):
    take_in("customers", "customer_ref,name,email\nACME,Acme,AP@Acme.example\n")
    take_in("customers", "customer_ref,name\nNONE,Without\nACME,Acme\n")
    outcome = take_in("customers", "customer_ref,name,email\nACME,Acme,Kontakt@Straße.example\n")

    assert [(change.column, change.new) for change in outcome.changes] == [("email", "Kontakt@Straße.example")]
    with sessions() as session:
        found = session.execute(select(Customer.ref, Customer.email_key).order_by(Customer.ref)).all()
    assert [tuple(one) for one in found] == [("ACME", "kontakt@straße.example"), ("NONE", "")]


def test_customers_of_a_file_are_listed_by_their_names(take_in, sessions):
    take_in("customers", "customer_ref,name\nA,Zebra\nB,Öl 10\nC,Öl 9\n")
    with sessions() as session:
        assert [name for _, name, _ in customers.names(session, SYSTEM)] == ["Öl 9", "Öl 10", "Zebra"]
    outcome = take_in("customers", "customer_ref,name\nA,Ähre\nB,Öl 10\n")

    assert [(change.column, change.new) for change in outcome.changes] == [("name", "Ähre")]
    with sessions() as session:
        assert [name for _, name, _ in customers.names(session, SYSTEM)] == ["Ähre", "Öl 9", "Öl 10"]


def test_customers_have_further_receivers_and_copies(two_customers, take_in, sessions):
    head = "customer_ref,name,email,further_emails,cc,bcc_emails"
    take_in("customers", f'{head}\nACME,Acme,ap@acme.example,"a@b.co; ""B, C"" <c@b.co>",cfo@acme.example,\n')
    with sessions() as session:
        acme = session.scalars(select(Customer).where(Customer.ref == "ACME")).one()
    assert (acme.further_emails, acme.cc_emails, acme.bcc_emails) == ("a@b.co, c@b.co", "cfo@acme.example", "")
