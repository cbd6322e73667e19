"""Imports that are taken back: everything is as before them, or it is said what stands in the way.

Each drawn history is taken back from its end, import by import, and every table compared with what it held then.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers import service as customers
from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.dates import utc_now
from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.imports.history import reading
from billing_core.imports.models import ImportRun
from billing_core.imports.taking_back import service as taking_back
from billing_core.imports.taking_back.references import MADE, PARTS, REFERENCES
from billing_core.orders.models import Order, OrderLine
from billing_core.reading_order import reading_order
from billing_core.reports import outdated
from billing_core.reports.models import ChangedOrder
from tests.imports.files import counts, incoming, row_count
from tests.invoices.company import GRACE
from tests.reports.company import LATER, a_customer, an_order, billed

HEADERS = {
    "customers": "customer_ref,name,email,currency,payment_terms",
    "services": "service_code,name,cost_type",
    "products": "customer_ref,sku,name,case_size",
    "rates": "customer_ref,service_code,unit_price,valid_from,valid_to,skus",
    "orders": "order_number,customer_ref,order_date,status,weight,notes",
    "order-items": "order_number,sku,quantity",
    "plans": "plan_code,name,price,interval,included_calls,price_per_call",
    "customer-plans": "customer_ref,plan_code,valid_from",
    "promo-codes": "code,plan_code,percent,duration,limit",
    "usage": "event_id,customer_ref,time,user,quantity",
}
# What an import writes about itself, and what is written for ever.
OWN = {"import_runs", "imported_changes", "column_mappings", "audit_entries"}
# Rows of these come back as other rows with the same content.
WITHOUT_IDS = {"order_lines"}


def everything(sessions):
    """Every row of every table, but how often it was changed."""
    found = {}
    with sessions() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in OWN:
                continue
            hidden = {"version"} | ({"id"} if table.name in WITHOUT_IDS else set())
            columns = [column for column in table.c if column.name not in hidden or table.name == "billing_reports"]
            rows = session.execute(select(*columns))
            found[table.name] = Counter(map(repr, rows))
    return {name: rows for name, rows in found.items() if rows}


def latest(sessions):
    with sessions() as session:
        return session.scalar(select(ImportRun.id).order_by(ImportRun.id.desc()).limit(1))


def take_back(sessions, run_id=None):
    return taking_back.take_back(sessions, SYSTEM, run_id or latest(sessions), now=utc_now())


def in_the_way(sessions, run_id=None):
    return taking_back.rehearse(sessions, SYSTEM, run_id or latest(sessions), now=utc_now()).in_the_way


def file(kind, *rows):
    return "\n".join((HEADERS[kind], *rows)) + "\n"


def _some(kind, *cells, keys):
    """Files of this kind with at most four rows, each of its own key: that many of the first cells."""
    row = st.tuples(*(st.sampled_from(one.split("|")) for one in cells))
    rows = st.lists(row, min_size=1, max_size=4, unique_by=lambda drawn: drawn[:keys])
    return rows.map(lambda drawn: (kind, file(kind, *(",".join(cells) for cells in drawn))))


FILES = st.one_of(
    _some("customers", "C1|C2|C3", "One|Two|Ünal", "|a@b.example", "USD|EUR|", "|30 days", keys=1),
    _some("services", "S1|S2", "Packing|Storing", "per_order|per_item", keys=1),
    _some("products", "C1|C2|C3", "a|A|B", "|Mug", "|6|0.5", keys=2),
    _some("rates", "C1|C2", "S1|S2", "1|2.5", "2025-01-01|2025-06-01", "|2025-05-31|2025-12-31", "|A;B", keys=4),
    _some("orders", "O1|O2|O3", "C1|C2", "2025-03-04|2025-04-05", "|shipped|cancelled", "|1.5", "|fragile", keys=1),
    _some("order-items", "O1|O2|O3", "A|B|c", "1|2|3.5", keys=0),
    _some("plans", "P1|P2", "Basic|Pro", "10|20", "month|year", "100", "0.5|0.25", keys=1),
    _some("customer-plans", "C1|C2", "P1|P2", "2025-01-01|2025-02-01", keys=3),
    _some("promo-codes", "TEN|twenty", "|P1", "10|20", "once|forever", "|5", keys=1),
    _some("usage", "e1|e2|e3", "C1|C2", "2025-03-04T10:00Z|2025-03-05T23:30Z", "|ana|ben", "1|2", keys=2),
)
BASE = (
    ("customers", file("customers", "C1,One,,USD,", "C2,Two,,USD,")),
    ("services", file("services", "S1,Packing,per_order")),
    ("orders", file("orders", "O1,C1,2025-03-04,shipped,,")),
    ("plans", file("plans", "P1,Basic,10,month,100,0.5")),
)


def test_what_people_have_changed_of_rows_that_go_is_told_before(sessions):
    """B was renamed, A by nobody; C was there before, and stays."""
    with sessions.begin() as session:
        carl = a_customer(session, "C", name="Carl")
    service.apply(
        sessions, SYSTEM, incoming("customers", file("customers", "A,Ada,,USD,", "B,Bea,,USD,")), now=utc_now()
    )
    assert taking_back.rehearse(sessions, SYSTEM, latest(sessions), now=utc_now()).edited == 0
    with sessions.begin() as session:
        bea = session.scalars(select(Customer.id).where(Customer.ref == "B")).one()
        for customer_id, version, facts in (
            (carl, 1, {"city": "Bonn"}),
            (bea, 1, {"name": "Beate"}),
            (bea, 2, {"city": "Bonn"}),
        ):
            customers.change(session, GRACE, customer_id, version=version, facts=facts, now=utc_now())

    found = taking_back.rehearse(sessions, SYSTEM, latest(sessions), now=utc_now())
    assert (found.refused, found.made, found.edited, found.edited_rows) == (False, 2, 1, ["B (by Grace Hopper)"])
    assert take_back(sessions).edited == 1
    with sessions() as session:
        assert session.scalars(select(Customer.name)).all() == ["Carl"]
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
        assert (entry.action, entry.after["edited"]) == ("import.take_back", 1)


@pytest.mark.later
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FILES, st.sampled_from(["add", "replace", "change"])), min_size=2, max_size=6))
def test_what_is_taken_back_was_never_there(sessions, history):
    """And the same files can be imported again, with the same result."""
    taken = []
    for (kind, text), lines in [(one, "add") for one in BASE] + history:
        before = everything(sessions)
        chosen = lines if kind == "order-items" else None
        try:
            outcome = service.apply(sessions, SYSTEM, incoming(kind, text, lines=chosen), now=utc_now())
        except Conflict:
            continue  # the very same lines once more
        if not outcome.applied or not (outcome.new or outcome.changed or outcome.gone):
            continue
        after = everything(sessions)
        run_id = latest(sessions)
        assert in_the_way(sessions, run_id) == []
        assert everything(sessions) == after
        done = take_back(sessions, run_id)
        assert (done.made, done.changed, done.removed) == (outcome.new, outcome.changed, outcome.gone)
        assert everything(sessions) == before
        again = service.apply(sessions, SYSTEM, incoming(kind, text, lines=chosen), now=utc_now())
        assert counts(again) == counts(outcome)
        taken.append((latest(sessions), before))
    for run_id, before in reversed(taken):
        take_back(sessions, run_id)
        assert everything(sessions).keys() == before.keys()
        assert [name for name, rows in everything(sessions).items() if rows != before[name]] == []


@pytest.fixture
def shop(take_in):
    """O1 of C1 with two lines, O2 of C2."""
    take_in("customers", file("customers", "C1,One,,USD,", "C2,Two,,EUR,"))
    take_in("orders", file("orders", "O1,C1,2025-03-04,shipped,,", "O2,C2,2025-03-05,shipped,,"))
    take_in("order-items", file("order-items", "O1,A,1", "O1,B,2"))


def test_lines_that_went_return_and_those_that_came_go(shop, take_in, sessions):
    before = everything(sessions)
    take_in("order-items", file("order-items", "O1,B,5", "O1,C,1"), lines="replace")
    done = take_back(sessions)
    assert (done.made, done.changed, done.removed, done.done) == (1, 1, 1, True)
    assert everything(sessions) == before


def test_what_others_rely_on_does_not_go(shop, take_in, sessions):
    before = everything(sessions)
    from_orders = "has an order from import 2 (file.csv): take that back first"
    assert in_the_way(sessions, 1) == [f"C1 {from_orders}", f"C2 {from_orders}"]
    with pytest.raises(Conflict, match="cannot be taken back: O1 has order lines from import 3"):
        take_back(sessions, 2)
    assert everything(sessions) == before
    for run_id in (3, 2, 1):
        take_back(sessions, run_id)
    assert row_count(sessions, Order) == 0


def test_what_was_changed_again_is_not_returned(shop, take_in, sessions):
    take_in("orders", file("orders", "O1,C1,2025-03-04,cancelled,,"))
    take_in("orders", file("orders", "O1,C1,2025-03-04,delivered,,"))
    assert in_the_way(sessions, 4) == ["O1: status was changed by import 5 (file.csv): take that back first"]
    assert in_the_way(sessions, 2)[:1] == ["O1 has order lines from import 3 (file.csv): take that back first"]
    take_back(sessions, 5)
    take_back(sessions, 4)
    with sessions.begin() as session:
        assert session.scalar(select(Order.status).where(Order.number == "O1")) == "shipped"
    take_in("customers", file("customers", "C1,Uno,,USD,"))
    with sessions.begin() as session:
        session.get(Customer, 1).name = "One and a half"
    assert in_the_way(sessions) == ["C1: name was changed since"]


def test_another_cell_of_the_same_row_may_have_changed_since(shop, take_in, sessions):
    take_in("customers", file("customers", "C1,Uno,,USD,"))
    with sessions.begin() as session:
        session.get(Customer, 1).city = "Oslo"
    take_back(sessions)
    with sessions() as session:
        customer = session.get(Customer, 1)
        assert (customer.name, customer.city, customer.name_order) == ("One", "Oslo", reading_order("One"))


def test_lines_that_a_later_file_removed_or_added_to_wait_for_it(shop, take_in, sessions):
    take_in("order-items", file("order-items", "O1,A,7"), lines="add")
    assert in_the_way(sessions, 3) == ["O1 · A has further lines from import 4 (file.csv): take that back first"]
    take_in("order-items", file("order-items", "O1,A,1"), lines="replace")
    assert in_the_way(sessions, 3) == [
        "O1 · B was removed by import 5 (file.csv): take that back first",
    ]
    assert in_the_way(sessions, 4) == ["O1 · A was removed by import 5 (file.csv): take that back first"]
    for run_id in (5, 4, 3):
        take_back(sessions, run_id)
    assert row_count(sessions, OrderLine) == 0


def test_what_is_billed_stays_and_reports_follow(sessions, take_in):
    """ACME's M-1 is on a report of March, and not on an invoice."""
    with sessions.begin() as session:
        acme = a_customer(session)
        an_order(session, acme, "M-1")
        report = billed(session, acme)
    before = everything(sessions)
    orders = "order_number,customer_ref,order_date,status\n"
    service.apply(sessions, SYSTEM, incoming("orders", f"{orders}M-1,ACME,2026-03-10,cancelled\n"), now=LATER)
    assert row_count(sessions, ChangedOrder) == 1
    take_back(sessions)
    with sessions() as session:
        assert outdated.of(session, [report])[report.id].difference.minor == 0
    after = everything(sessions)
    assert {name for name in after if after[name] != before.get(name)} == {"changed_orders"}


def test_it_is_taken_back_once_and_audited(shop, take_in, sessions):
    take_in("orders", file("orders", "O1,C1,2025-03-04,cancelled,,"))
    take_back(sessions)
    with pytest.raises(Conflict, match=r"The import of file.csv was taken back by .* already"):
        take_back(sessions, 4)
    with sessions() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (entry.action, entry.subject_id, entry.subject_label) == ("import.take_back", "4", "Orders from file.csv")
    assert entry.before == {"O1: status": "cancelled"}
    assert entry.after == {"changed": 1, "O1: status": "shipped"}


def test_an_import_that_changed_nothing_or_is_none(shop, take_in, sessions):
    take_in("customers", file("customers", "C1,One,,USD,"))
    with pytest.raises(Conflict, match="has changed nothing"):
        take_back(sessions)
    with pytest.raises(NotFound):
        take_back(sessions, 99)


def test_imports_of_before_cannot_be_taken_back(shop, sessions):
    with sessions.begin() as session:
        session.get(ImportRun, 3).first_id = None
    with pytest.raises(Conflict, match="was not written down at its time"):
        take_back(sessions, 3)


def test_the_very_same_lines_can_be_added_again(shop, take_in, sessions):
    added = file("order-items", "O2,A,1")
    take_in("order-items", added, lines="add")
    with pytest.raises(Conflict, match="adding its lines again would double them"):
        take_in("order-items", added, lines="add")
    take_back(sessions)
    assert counts(take_in("order-items", added, lines="add")) == (1, 0, 0, 0)


def test_each_reference_to_what_imports_make_has_its_words():
    models = {model for made in MADE.values() for model in made} | set(PARTS)
    known = {one.column for references in REFERENCES.values() for one in references}
    known |= {column for columns in PARTS.values() for column in columns}
    by_table = {model.__table__: model for model in models}
    found = {
        (table.name, key.parent.name)
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table in by_table
    }
    assert found <= {(column.class_.__tablename__, column.key) for column in known}


def test_the_history_shows_what_each_import_did(shop, take_in, sessions):
    take_in("order-items", file("order-items", "O1,B,5", "O1,C,1.5"), lines="replace")
    with sessions() as session:
        told = reading.details(session, SYSTEM, 4)
        listed = b"".join(reading.as_csv(session, SYSTEM, 4)).decode("utf-8-sig").splitlines()
    assert told.made == ["O1 · C"]
    assert [(one.effect, one.row, one.column, one.before, one.after) for one in told.cells] == [
        ("removed", "O1 · A", "quantity", "1", ""),
        ("changed", "O1 · B", "quantity", "2", "5"),
    ]
    assert listed == [
        "effect,row,column,before,after",
        "new,O1 · C,,,",
        "removed,O1 · A,quantity,1,",
        "changed,O1 · B,quantity,2,5",
    ]
    assert told.mapping["sku"] == {"column": "sku"}
