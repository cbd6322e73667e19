"""Whatever happens to invoices: ageing, figures, statements and proof are what adding up in Python says."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_core import figures
from billing_core.dates import Period, utc_now
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.ledger import sealing
from billing_core.ledger import verification as ledger_verification
from billing_core.receivables import ageing, statement, verification
from billing_core.receivables import figures as money
from billing_core.receivables.statement import StatementRequest
from tests.receivables.history import FIRST, History, play, steps

pytestmark = pytest.mark.slow

# How many of the entries have their seal.
SEALED = st.integers(0, 12)
DAYS = st.dates(FIRST - timedelta(days=15), FIRST + timedelta(days=250))


def owed(history: History, as_at: date = date.max, known_at: datetime | None = None) -> Counter:
    """What is owed on each invoice."""
    left = Counter()
    for change in history.debts:
        if change.on <= as_at and (known_at is None or change.known <= known_at):
            left[change.invoice_id] += change.amount
    return Counter({invoice_id: amount for invoice_id, amount in left.items() if amount})


def aged(history: History, day: date, left: Counter) -> dict[str, list[int]]:
    """Amounts per currency in the five buckets."""
    found = defaultdict(lambda: [0] * 5)
    for invoice in history.invoices:
        late = (day - invoice.due_on).days
        bucket = 0 if late <= 0 else 1 if late <= 30 else 2 if late <= 60 else 3 if late <= 90 else 4
        if left[invoice.id]:
            found[invoice.currency][bucket] += left[invoice.id]
    return dict(found)


def nonzero(totals: dict) -> dict:
    return {key: amount for key, amount in totals.items() if amount}


@pytest.fixture
def playing(session):
    """Play steps in a database that is as it was before afterwards."""

    def play_and_check(wanted, check, sealed=0):
        with session.begin_nested() as savepoint:
            history = play(session, wanted)
            sealing.seal(session, now=utc_now(), limit=sealed)
            check(history)
            savepoint.rollback()
            session.expunge_all()

    return play_and_check


anything = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@anything
@given(steps, SEALED)
def test_whatever_happens_the_documents_keep_what_the_ledger_says(session, playing, wanted, sealed):
    def check(_history):
        checks = [*ledger_verification.checks(session), *verification.checks(session, today=FIRST)]
        assert [(found.name, found.wrong) for found in checks if found.wrong] == []

    playing(wanted, check, sealed)


@anything
@given(steps, DAYS, st.none() | st.integers(0, 14), SEALED)
def test_ageing_and_its_figures_are_what_adding_up_says(session, playing, wanted, day, known, sealed):
    def check(history):
        instants = sorted({change.known for change in history.debts})
        known_at = None if known is None else instants[known % len(instants)]
        for asked, left in (
            (Scope(today=day), owed(history)),
            (Scope(as_at=day, known_at=known_at), owed(history, day, known_at)),
            (Scope(today=day, known_at=known_at), owed(history, known_at=known_at)),
        ):
            expected = aged(history, day, left)
            rows = ageing.by_currency(session, SYSTEM, asked)
            assert {row.currency: list(row.amounts) for row in rows} == expected
            for figure, amounts in (
                (money.OUTSTANDING, {code: sum(buckets) for code, buckets in expected.items()}),
                (money.OVERDUE, {code: sum(buckets[1:]) for code, buckets in expected.items()}),
                (money.aged(ageing.BUCKETS[2]), {code: buckets[2] for code, buckets in expected.items()}),
            ):
                assert nonzero(figures.value(session, SYSTEM, figure, asked)) == nonzero(amounts)
                assert nonzero(figures.proven(session, SYSTEM, figure, asked)) == nonzero(amounts)

    playing(wanted, check, sealed)


@anything
@given(steps, DAYS, st.integers(0, 60), st.none() | st.integers(0, 14))
def test_a_statement_leads_from_its_opening_to_its_closing_balance(session, playing, wanted, start, days, known):
    def check(history):
        instants = sorted({change.known for change in history.account})
        known_at = None if known is None else instants[known % len(instants)]
        period = Period(start, start + timedelta(days=days))
        for customer in history.customers:
            own = [
                change
                for change in history.account
                if change.customer_id == customer.id and (known_at is None or change.known <= known_at)
            ]
            for code in ("USD", "EUR"):
                found = statement.statement(
                    session, SYSTEM, StatementRequest(customer.id, code, period, known_at=known_at)
                )
                changes = [change for change in own if change.currency == code]
                assert found.opening_minor == sum(c.amount for c in changes if c.on < period.start)
                assert found.closing_minor == sum(c.amount for c in changes if c.on <= period.end)
                assert found.closing_minor == found.opening_minor + sum(row.amount_minor for row in found.rows)
                assert found.closing_minor == (found.rows[-1].balance_minor if found.rows else found.opening_minor)
                assert [row.on for row in found.rows] == sorted(row.on for row in found.rows)

    playing(wanted, check)


@anything
@given(steps)
def test_what_is_kept_for_customers_is_what_they_paid_too_much(session, playing, wanted):
    def check(history):
        kept = Counter()
        for change in history.debts:
            kept[change.currency] += change.amount
        for change in history.account:
            kept[change.currency] -= change.amount
        assert figures.value(session, SYSTEM, money.CUSTOMER_CREDIT, Scope()) == nonzero(kept)

    playing(wanted, check)
