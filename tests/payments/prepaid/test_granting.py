"""Giving, selling and taking back credit: by whom, what is refused, and what each leaves behind."""

import inspect
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import queries as invoices
from billing_core.invoices.models import Invoice
from billing_core.ledger.models import LedgerEntry
from billing_core.money import LARGEST_MINOR, Money
from billing_core.payments import sending
from billing_core.payments.prepaid import granting, queries, upkeep
from billing_core.payments.prepaid.models import MovementKind, Origin
from tests.payments.books import NOW, TODAY, a_customer, accounts
from tests.payments.prepaid.ahead import a_usage_draft, buy, give, left, sell, use, wrong_in

DAY = {"today": TODAY, "now": NOW}
CLERK = actor_with(Role.FINANCE, user_id=None, name="Rita Reader")


def take_back(session, grant_id):
    granting.take_back(session, SYSTEM, grant_id, reason="A mistake", **DAY)


def test_given_credit_is_posted_listed_and_traced(session):
    customer = a_customer(session)
    give(session, customer, 25_00, date(2026, 12, 31))
    (row,) = queries.grants(session, CLERK, customer.id)
    assert (row.origin, row.amount_minor, row.remaining_minor, row.currency) == (Origin.GIVEN, 25_00, 25_00, "EUR")
    assert (row.expires_on, row.reason, row.invoice_id, row.created_by) == (
        date(2026, 12, 31),
        "Welcome",
        None,
        "system",
    )
    assert accounts(session) == {"prepaid_credit": -25_00, "promotion": 25_00}
    (trace,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "prepaid.give"))
    assert (trace.subject_id, trace.after["amount_minor"], trace.after["reason"]) == (
        str(customer.id),
        25_00,
        "Welcome",
    )
    assert wrong_in(session) == []


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"amount_minor": 0}, "amount"),
        ({"amount_minor": -1}, "amount"),
        ({"amount_minor": LARGEST_MINOR + 1}, "amount"),
        ({"expires_on": TODAY - timedelta(days=1)}, "expires_on"),
        ({"reason": " "}, "reason"),
    ],
)
def test_what_cannot_be_given_is_named(session, facts, field):
    with pytest.raises(Invalid) as refusal:
        give(session, a_customer(session), **({"amount_minor": 1} | facts))
    assert field in refusal.value.fields


@pytest.mark.parametrize(
    ("facts", "field"),
    [({"amount_minor": 0}, "amount"), ({"valid_days": 0}, "valid_days"), ({"valid_days": 3_661}, "valid_days")],
)
def test_what_cannot_be_sold_is_named(session, facts, field):
    with pytest.raises(Invalid) as refusal:
        sell(session, a_customer(session), **({"amount_minor": 1, "valid_days": 1} | facts))
    assert field in refusal.value.fields


def test_the_edges_of_what_can_be_given_and_sold(session):
    customer = a_customer(session)
    give(session, customer, 1, TODAY)
    give(session, customer, LARGEST_MINOR)
    assert sell(session, customer, 1, valid_days=1)
    assert sell(session, customer, 1, valid_days=3_660)


def test_credit_is_sold_by_an_invoice_without_tax_in_the_customer_s_language(session):
    customer = a_customer(session)
    customer.language = "de"
    purchase = sell(session, customer, 250_00, valid_days=365)
    invoice = session.get_one(Invoice, purchase.invoice_id)
    assert (invoice.total_minor, invoice.tax_minor, invoice.currency) == (250_00, 0, "EUR")
    (line,) = invoices.lines(session, invoice.id)
    assert line.description == "Guthaben für künftige Nutzung"
    assert invoice.zero_tax_reason == "Besteuert wird die Nutzung, die mit dem Guthaben bezahlt wird"
    assert queries.available(session, SYSTEM, customer.id, today=TODAY) == []
    assert left(session) == []


def test_credit_does_not_pay_for_credit(session):
    customer = a_customer(session)
    give(session, customer, 100_00)
    purchase = sell(session, customer, 50_00)
    assert session.get_one(Invoice, purchase.invoice_id).due_minor == 50_00


def test_what_is_left_of_given_credit_is_taken_back_once(session):
    customer = a_customer(session)
    grant_id = give(session, customer, 30_00)
    use(session, customer, "12")
    take_back(session, grant_id)
    assert left(session) == [0]
    assert accounts(session) == {"promotion": 12_00, "revenue": -12_00}
    with pytest.raises(Conflict, match="Nothing"):
        take_back(session, grant_id)
    kinds = [(row.kind, row.amount_minor, row.invoice_id) for row in queries.movements(session, CLERK, grant_id)]
    assert kinds == [(MovementKind.WITHDRAWN, -18_00, None), (MovementKind.USED, -12_00, 1)]
    with pytest.raises(NotFound):
        take_back(session, grant_id + 1)
    assert wrong_in(session) == []


def test_bought_credit_is_not_taken_back_but_its_invoice_refunded(session):
    grant_id = buy(session, a_customer(session), 10_00)
    with pytest.raises(Conflict, match="refund its invoice"):
        take_back(session, grant_id)


def test_only_who_changes_payments_changes_credit_and_all_who_read_them_see_it(session):
    customer = a_customer(session)
    grant_id = give(session, customer, 10_00)
    calls = {
        "give": {"amount_minor": 1, "expires_on": None, "reason": "x"},
        "sell": {"amount_minor": 1, "valid_days": None},
    }
    for name, facts in calls.items():
        with pytest.raises(Forbidden):
            getattr(granting, name)(session, CLERK, customer.id, **facts, **DAY)
    with pytest.raises(Forbidden):
        granting.take_back(session, CLERK, grant_id, reason="x", **DAY)
    with pytest.raises(Forbidden):
        upkeep.run(session, CLERK, now=NOW, limit=1)
    with pytest.raises(Forbidden):
        upkeep.expire(session, CLERK, now=NOW, limit=1)
    with pytest.raises(Forbidden):
        sending.send(session, CLERK, a_usage_draft(session, customer).id, now=NOW)
    nobody = actor_with(Role.ADMIN, user_id=None, name="Nobody")
    blind = type(nobody)(None, "Nobody", frozenset())
    for name, verb in inspect.getmembers(queries, inspect.isfunction):
        if verb.__module__ == queries.__name__ and not name.startswith("_"):
            with pytest.raises(Forbidden):
                verb(session, blind, customer.id, **({"today": TODAY} if name == "available" else {}))


def test_whoever_is_bound_sees_its_own_credit_alone(session):
    customer, other = a_customer(session), a_customer(session, "C2")
    grant_id = give(session, other, 10_00)
    bound = actor_with(Role.MANAGER, user_id=None, name="Olga", customer_id=customer.id)
    assert queries.available(session, bound, other.id, today=TODAY) == []
    assert queries.grants(session, bound, other.id) == []
    with pytest.raises(Invalid, match="starting_after"):
        queries.grants(session, bound, other.id, after=grant_id)
    take_back(session, grant_id)
    assert queries.movements(session, bound, grant_id) == []
    assert len(queries.movements(session, CLERK, grant_id)) == 1


def test_lists_go_on_before_a_row(session):
    customer = a_customer(session)
    ids = [give(session, customer, minor) for minor in (1, 2, 3)]
    assert [row.id for row in queries.grants(session, CLERK, customer.id, limit=2)] == [ids[2], ids[1]]
    assert [row.id for row in queries.grants(session, CLERK, customer.id, after=ids[1])] == [ids[0]]
    assert queries.available(session, CLERK, customer.id, today=TODAY) == [Money(6, "EUR")]


def test_entries_name_their_customer(session):
    customer = a_customer(session)
    give(session, customer, 5_00)
    entry = session.scalars(select(LedgerEntry)).one()
    assert (entry.document, entry.memo, entry.effective_on) == (f"customer:{customer.id}", "Welcome", TODAY)
    assert session.get_one(Customer, customer.id).currency == entry.currency
