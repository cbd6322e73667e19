"""Balances: as at any day and as known at any instant, against adding up in Python."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.ledger import queries, sealing, service, verification
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting
from billing_core.ledger.queries import Counted
from billing_core.ledger.service import Side
from tests.ledger.books import NOW, TODAY, a_payment_entry, an_entry, an_invoice_entry, parties

_SIDES = st.lists(
    st.tuples(
        st.sampled_from(Account), st.integers(-1_000, 1_000), st.sampled_from(["", "19"]), st.sampled_from([None, 1, 2])
    ),
    min_size=1,
    max_size=5,
)
# (which customer, currency, effective in so many days, recorded after so many minutes, sides of which a last is due)
_ENTRIES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["USD", "EUR"]), st.integers(-5, 5), st.integers(0, 5), _SIDES),
    min_size=1,
    max_size=8,
)


def balances(session, counted, *by):
    """What counts, added up by these columns and currency; what comes to 0 is left out."""
    keys = [*(getattr(LedgerPosting, name) for name in by), LedgerPosting.currency]
    statement = select(*keys, func.sum(LedgerPosting.amount_minor)).where(*queries.counting(counted)).group_by(*keys)
    return {tuple(key): int(amount) for *key, amount in session.execute(statement) if amount}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    _ENTRIES,
    st.none() | st.integers(-6, 6),
    st.none() | st.integers(-1, 6),
    st.lists(st.sampled_from(["account", "business_id", "customer_id", "detail", "invoice_id"]), unique=True),
    st.sampled_from([{}, {"account": Account.CASH}, {"invoice_id": 2}, {"currency": "EUR"}]),
)
def test_balances_are_what_adding_up_says(session, entries, day, minute, by, only):
    as_at = None if day is None else TODAY + timedelta(days=day)
    known_at = None if minute is None else NOW + timedelta(minutes=minute)
    with session.begin_nested() as savepoint:
        customers = [parties(session, "ACME"), parties(session, "BETA")]
        expected = Counter()
        for who, currency, days, minutes, sides in entries:
            sides = [*sides, (Account.CASH, -sum(amount for _, amount, *_ in sides), "", None)]
            on, recorded = TODAY + timedelta(days=days), NOW + timedelta(minutes=minutes)
            entry = an_entry(
                customers[who], EntryKind.PAYMENT, [Side(*side) for side in sides], currency=currency, on=on
            )
            service.post(session, SYSTEM, entry, now=recorded)
            if (as_at is None or on <= as_at) and (known_at is None or recorded <= known_at):
                for account, amount, detail, invoice_id in sides:
                    facts = {
                        "account": account,
                        "detail": detail,
                        "business_id": 1,
                        "customer_id": customers[who].id,
                        "invoice_id": invoice_id,
                        "currency": currency,
                    }
                    if all(facts[name] == wanted for name, wanted in only.items()):
                        expected[*(facts[name] for name in (*by, "currency"))] += amount
        sealing.seal(session, now=NOW)

        found = balances(session, Counted(**only, as_at=as_at, known_at=known_at), *by)
        proof = [check.wrong for check in verification.checks(session)]
        savepoint.rollback()
        session.expunge_all()

    assert found == {key: amount for key, amount in expected.items() if amount}
    assert proof == [()] * 6


def test_a_balance_is_one_amount_a_currency(session):
    acme = parties(session)
    for entry in (
        an_invoice_entry(acme, 1, net=100),
        an_invoice_entry(acme, 2, net=30, currency="EUR"),
        a_payment_entry(acme, {1: 60}, kept=5, on=date(2026, 5, 20)),
    ):
        service.post(session, SYSTEM, entry, now=NOW)

    receivable = Counted(account=Account.RECEIVABLE)
    assert balances(session, receivable) == {("EUR",): 30, ("USD",): 40}
    assert balances(session, Counted(account=Account.CUSTOMER_CREDIT)) == {("USD",): -5}
    before = Counted(account=Account.RECEIVABLE, invoice_id=1, as_at=date(2026, 5, 19))
    assert balances(session, before) == {("USD",): 100}


def test_what_was_posted_for_a_document_is_undone_side_by_side(session):
    acme = parties(session)
    opened = service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=100, tax=19), now=NOW)
    undone = service.reverse(session, SYSTEM, opened, effective_on=TODAY, memo="cancelled", now=NOW)

    entry = session.get_one(LedgerEntry, undone)
    assert (entry.document, entry.kind, entry.memo, entry.reverses_id) == (
        *("invoice:7", EntryKind.REVERSAL, "cancelled", opened),
    )
    columns = (LedgerPosting.account, LedgerPosting.detail, LedgerPosting.amount_minor)
    sides = session.execute(select(*columns).where(LedgerPosting.entry_id == undone).order_by(LedgerPosting.id))
    assert sides.all() == [
        (Account.RECEIVABLE, "", -119),
        (Account.REVENUE, "service", 100),
        (Account.TAX_PAYABLE, "19", 19),
    ]


def test_somebody_bound_to_a_customer_sees_that_customer_alone(session):
    acme, beta = parties(session, "ACME"), parties(session, "BETA")
    service.post(session, SYSTEM, an_invoice_entry(acme, 1, net=100), now=NOW)
    service.post(session, SYSTEM, an_invoice_entry(beta, 2, net=7), now=NOW)
    bound = actor_with(Role.FINANCE, user_id=None, name="Otto", customer_id=acme.id)

    receivable = Counted(account=Account.RECEIVABLE)
    assert [row.amount_minor for row in queries.movements(session, bound, receivable)] == [100]
    assert queries.movements(session, bound, Counted(invoice_id=2)) == []
    with pytest.raises(Forbidden):
        queries.movements(session, Actor(None, "Nemo", frozenset({Permission.REPORT_READ})), receivable)


def test_movements_are_told_in_the_order_of_posting_with_what_they_are_about(session):
    acme, beta = parties(session, "ACME"), parties(session, "BETA")
    opened = service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=100), now=NOW)
    service.post(session, SYSTEM, an_invoice_entry(beta, 8, net=50, currency="EUR"), now=NOW)
    later, tomorrow = NOW + timedelta(minutes=1), TODAY + timedelta(days=1)
    undone = service.reverse(session, SYSTEM, opened, effective_on=tomorrow, memo="cancelled", now=later)

    def told(**counted):
        found = queries.movements(session, SYSTEM, Counted(**counted))
        return [(row.entry_id, row.kind, row.about, row.account, row.amount_minor) for row in found]

    receivable, revenue = Account.RECEIVABLE, Account.REVENUE
    invoice, reversal = EntryKind.INVOICE, EntryKind.REVERSAL
    first = [(opened, invoice, invoice, receivable, 100), (opened, invoice, invoice, revenue, -100)]
    second = [(opened + 1, invoice, invoice, receivable, 50), (opened + 1, invoice, invoice, revenue, -50)]
    third = [(undone, reversal, invoice, receivable, -100), (undone, reversal, invoice, revenue, 100)]
    assert told() == first + second + third
    assert told(invoice_id=7) == told(customer_id=acme.id) == told(currency="USD") == first + third
    assert told(account=revenue) == [first[1], second[1], third[1]]
    assert told(as_at=TODAY) == told(known_at=NOW) == first + second
    assert told(as_at=tomorrow) == told(known_at=later) == first + second + third
    assert told(as_at=TODAY - timedelta(days=1)) == told(known_at=NOW - timedelta(microseconds=1)) == []
    row = queries.movements(session, SYSTEM, Counted(), limit=5)[4]
    assert (row.effective_on, row.recorded_by, row.memo, row.currency) == (tomorrow, "system", "cancelled", "USD")


def test_a_movement_tells_whether_its_own_entry_is_about_prepaid_credit(session):
    acme = parties(session)
    taken = [Side(Account.PREPAID_CREDIT, 40), Side(Account.RECEIVABLE, -40, invoice_id=7)]
    used = service.post(session, SYSTEM, an_entry(acme, EntryKind.CREDIT_APPLIED, taken), now=NOW)
    service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=100), now=NOW)

    found = queries.movements(session, SYSTEM, Counted(account=Account.RECEIVABLE))
    assert [(row.entry_id == used, row.amount_minor, row.prepaid) for row in found] == [
        (True, -40, True),
        (False, 100, False),
    ]


def test_no_more_than_a_thousand_movements_are_told_at_once(session):
    sides = [Side(Account.CASH, 1)] * 1_000 + [Side(Account.FEES, -1)] * 1_000
    service.post(session, SYSTEM, an_entry(parties(session), EntryKind.PAYMENT, sides), now=NOW)

    assert [row.amount_minor for row in queries.movements(session, SYSTEM, Counted())] == [1] * 1_000
