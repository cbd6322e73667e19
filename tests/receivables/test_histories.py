"""Whatever happens to invoices: ageing, figures, statements and proof are what adding up in Python says."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core import figures
from billing_core.dates import Period, utc_now
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.ledger import sealing
from billing_core.ledger import verification as ledger_verification
from billing_core.payments import credit
from billing_core.receivables import ageing, statement, verification
from billing_core.receivables import figures as money
from billing_core.receivables.statement import StatementRequest
from tests.arrivals import arriving
from tests.receivables.any_step import STEPS, play, prepared, steps
from tests.receivables.history import FIRST, History

pytestmark = pytest.mark.slow

# At which of the instants when something became known; one time in six, None: by now.
KNOWN = st.sampled_from([*[None] * 5, *range(25)])
LATE = ("not", *(f"{first} to {first + 29} days" for first in (1, 31, 61)), "longer")


def days_of_the_year(first: int, last: int) -> st.SearchStrategy[date]:
    return st.integers(first, last).map(lambda days: FIRST + timedelta(days=days))


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
def any_history(session):
    """Play any steps after a prepared history, each time anew, and fail where one of them never happened.

    ``check`` gets the history and an example of each of the other strategies, and yields what has to happen too.
    """
    before = prepared(session)

    def search(check, *others, also=()):
        @settings(max_examples=12)
        @given(steps(), st.integers(0, 40), st.tuples(*others))
        def any_history(wanted, sealed, drawn):
            with session.begin_nested() as savepoint:
                history = play(before, wanted, arrived)
                sealing.seal(session, now=utc_now(), limit=sealed)
                for happened in check(history, *drawn) or ():
                    arrived(happened)
                savepoint.rollback()
            session.expire_all()

        with arriving([*(step.__name__ for step in STEPS), *also]) as arrived:
            any_history()

    return search


@pytest.mark.drawn
def test_whatever_happens_the_documents_keep_what_the_ledger_says(session, any_history):
    def check(_history):
        checks = [*ledger_verification.checks(session), *verification.checks(session, today=FIRST)]
        assert [(found.name, found.wrong) for found in checks if found.wrong] == []

    any_history(check)


@pytest.mark.drawn
def test_ageing_and_its_figures_are_what_adding_up_says(session, any_history):
    def check(history, day, known):
        known_at = _instant(history.debts, known)
        now = owed(history)
        for asked, left in (
            (Scope(today=day), now),
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
            for buckets in expected.values():
                yield from (f"{days} late" for days, amount in zip(LATE, buckets, strict=True) if amount)
        if owed(history, day) != now:
            yield "otherwise on that day"
        if owed(history, known_at=known_at) != now:
            yield "not known yet"

    also = [*(f"{days} late" for days in LATE), "otherwise on that day", "not known yet"]
    # From the 91st day on something is as late as can be.
    any_history(check, days_of_the_year(91, 150) | days_of_the_year(-15, 180), KNOWN, also=also)


@pytest.mark.drawn
def test_a_statement_leads_from_its_opening_to_its_closing_balance(session, any_history):
    def check(history, start, days, known, place):
        known_at = _instant(history.account, known)
        period = Period(start, start + timedelta(days=days))
        one = sorted({change.business_id for change in history.account})[place]
        for customer, code, business_id in product(history.customers, ("USD", "EUR"), (None, one)):
            changes = [
                change
                for change in history.account
                if (change.customer_id, change.currency) == (customer.id, code)
                and business_id in (None, change.business_id)
                and (known_at is None or change.known <= known_at)
            ]
            request = StatementRequest(customer.id, code, period, business_id, known_at)
            found = statement.statement(session, SYSTEM, request)
            assert found.opening_minor == sum(c.amount for c in changes if c.on < period.start)
            assert found.closing_minor == sum(c.amount for c in changes if c.on <= period.end)
            assert found.closing_minor == found.opening_minor + sum(row.amount_minor for row in found.rows)
            assert found.closing_minor == (found.rows[-1].balance_minor if found.rows else found.opening_minor)
            assert [row.on for row in found.rows] == sorted(row.on for row in found.rows)
            if found.rows:
                yield f"rows of {'all' if business_id is None else 'one'}"
            if found.opening_minor:
                yield "an opening balance"
            if any(change.on > period.end for change in changes):
                yield "a change after its end"

    also = ["rows of all", "rows of one", "an opening balance", "a change after its end"]
    any_history(check, days_of_the_year(-5, 60), st.integers(0, 60), KNOWN, st.integers(0, 1), also=also)


@pytest.mark.drawn
def test_what_is_kept_for_customers_is_what_they_paid_too_much(session, any_history):
    def check(history):
        kept = Counter()
        for change in history.debts:
            kept[change.currency] += change.amount
        for change in history.account:
            kept[change.currency] -= change.amount
        assert figures.value(session, SYSTEM, money.CUSTOMER_CREDIT, Scope()) == nonzero(kept)
        accounts = {(one.business_id, one.customer_id, one.currency) for one in history.account}
        for business_id, customer_id, currency in accounts:
            stored = credit.balance(session, business_id, customer_id, currency)
            assert stored.minor == history.credit(business_id, customer_id, currency)

    any_history(check)


def _instant(changes, known):
    """One of those at which something became known."""
    instants = sorted({change.known for change in changes})
    return None if known is None else instants[known % len(instants)]
