"""Customers stand by their names as a reader expects, alike on both databases, however they came and were renamed."""

from sqlalchemy import insert

from billing_core.customers import queries, service
from billing_core.customers.models import Customer
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.payments import queries as payments
from billing_core.payments.models import PaymentMethod
from billing_core.payments.queries import PaymentFilter
from billing_core.payments.received import Received, record
from billing_core.receivables import ageing
from billing_core.reports import summary
from billing_core.reports.summary import SummaryFilter
from tests.invoices.company import NOW, TODAY, a_customer, an_invoice

NAMES = ["3M", "Apfel AG", "Äpfel GmbH", "łódź sp. z o.o.", "Lzy", "Store 9", "Store 10", "Zebra", "Ωμέγα", "Йод"]


def _listed(session) -> list[str]:
    return [name for _, name, _ in queries.names(session, SYSTEM)]


def test_customers_stand_where_a_reader_looks_for_them(session):
    for place, name in enumerate(reversed(NAMES)):
        a_customer(session, f"C{place}", name=name)

    assert _listed(session) == NAMES
    for order_by, expected in (("customer_name", NAMES), ("-customer_name", NAMES[::-1])):
        page = summary.page(session, SYSTEM, SummaryFilter(order_by=order_by))
        assert [row.customer_name for row in page] == expected


def test_a_renamed_customer_moves(session):
    a_customer(session, "B", name="Bravo")
    alpha = a_customer(session, "A", name="Alpha")
    service.change(session, SYSTEM, alpha, version=1, facts={"name": "Çelik"}, now=NOW)

    assert _listed(session) == ["Bravo", "Çelik"]
    service.change(session, SYSTEM, alpha, version=2, facts={"name": "aaa"}, now=NOW)
    assert _listed(session) == ["aaa", "Bravo"]


def test_customers_added_by_one_statement_stand_by_their_names_too(session):
    facts = {"business_id": 1, "currency": "USD", "created_at": NOW}
    session.execute(insert(Customer), [{"ref": name, "name": name, **facts} for name in ("Zebra", "Ähre", "Beta")])
    assert _listed(session) == ["Ähre", "Beta", "Zebra"]


def test_amounts_that_customers_owe_and_paid_are_listed_by_their_names(session):
    for place, name in enumerate(("Zebra", "Öl 10", "Öl 9", "Ofen")):
        customer = a_customer(session, f"C{place}", name=name)
        an_invoice(session, customer)
        record(
            session,
            SYSTEM,
            customer_id=customer,
            received=Received("USD", 100, PaymentMethod.OTHER, TODAY),
            allocations={},
            today=TODAY,
            now=NOW,
        )

    expected = ["Ofen", "Öl 9", "Öl 10", "Zebra"]
    owed = ageing.by_customer(session, SYSTEM, Scope(today=TODAY), order_by="name")
    assert [row.customer_name for row in owed] == expected
    paid = payments.page(session, SYSTEM, PaymentFilter(order_by="customer"))
    assert [row.customer_name for row in paid] == expected
