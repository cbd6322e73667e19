"""Two years of many subscriptions: the product's invoices and postings are those of a naive computation, to the cent,
however often the jobs run, whoever dies, and whoever else works.

``SUBSCRIPTIONS=200`` does all of it with as many, for two years.
"""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from billing_core.commands import verify
from billing_core.database import Sessions, connect
from billing_core.online_payments.stripe import limits
from tests.subscriptions.simulation import books
from tests.subscriptions.simulation.company import Company
from tests.subscriptions.simulation.contracts import Contract
from tests.subscriptions.simulation.drawn import FIRST, LAST, STORIES, drawn
from tests.subscriptions.simulation.naive import DECLINED, DONE, Life

MANY = int(os.environ.get("SUBSCRIPTIONS", "0"))
# A few for some months, unless many are asked for.
UNTIL = LAST if MANY else FIRST + timedelta(days=240)
DAYS = [FIRST + timedelta(days=day, hours=3) for day in range((LAST - FIRST).days)]
STANDSTILL = (FIRST + timedelta(days=50), UNTIL - timedelta(days=50))


def contracts(some: range, seed: int) -> list[Contract]:
    return drawn(range(MANY) if MANY else some, seed, UNTIL)


def agree(company: Company, *, punctual: bool = True) -> list[Life]:
    """Every invoice, every posting, and what came of all that customers did. ``punctual``: no run came so late that a
    last period was over before it was charged.
    """
    lives = [Life(contract).live(company.over) for contract in company.contracts]
    with company.sessions() as session:
        for customer_id, life, outcomes in zip(company.customers, lives, company.outcomes, strict=True):
            assert outcomes == life.outcomes, life.contract
            assert books.found(session, customer_id) == books.told(life), life.contract
        pays = [punctual or not life.contract.ends_by_itself for life in lives]
        paying = [one for one, counts in zip(company.customers, pays, strict=True) if counts]
        expected = books.expected(lives, [life for life, counts in zip(lives, pays, strict=True) if counts])
        assert books.posted(session, paying) == expected
        assert [check for check in verify.checks(session) if check.wrong] == []
    return lives


@pytest.fixture(autouse=True)
def every_cent(monkeypatch) -> None:
    """Whatever is due is charged, as the naive computation has it: Stripe takes none of less than 0.50."""
    monkeypatch.setattr(limits, "LEAST", {})


@pytest.fixture
def on_sqlite(sqlite_url) -> Iterator[Sessions]:
    yield from _opened(sqlite_url)


@pytest.fixture
def on_postgresql(emptied_database) -> Iterator[Sessions]:
    yield from _opened(emptied_database.taken())


def _opened(url: str) -> Iterator[Sessions]:
    opened = Sessions(connect(url))
    yield opened
    opened.engine.dispose()


@pytest.mark.later
def test_day_by_day(on_sqlite):
    """Each story once at least, and all that customers can do is done."""
    company = Company(on_sqlite, contracts(range(len(STORIES)), seed=1), until=UNTIL)
    company.live(DAYS)
    lives = agree(company)
    done = Counter(
        (type(act).__name__, outcome)
        for life in lives
        for act, outcome in zip(life.contract.acts, life.outcomes, strict=True)
    )
    kinds = ("Change", "Withdraw", "Pause", "Resume", "Move", "Replace", "Cancel")
    assert all(done[kind, DONE] for kind in kinds)
    assert done["Change", DECLINED]
    bills = [bill for life in lives for bill in life.account.bills]
    for what in ("by_card", "by_credit", "failed", "voided_on", "final"):
        assert any(getattr(bill, what) for bill in bills), what
    for what in ("off_due", "kept", "refunded"):
        assert any(getattr(one, what) for bill in bills for one in bill.given_back), what


@pytest.mark.later
def test_the_same_hour_by_hour(on_sqlite):
    company = Company(on_sqlite, contracts(range(6), seed=2), until=UNTIL)
    company.live(None)
    agree(company)


@pytest.mark.later
def test_the_same_month_by_month_with_a_standstill(on_sqlite):
    company = Company(on_sqlite, contracts(range(6), seed=2), until=UNTIL)
    company.live(DAYS[::30], standstill=STANDSTILL)
    agree(company, punctual=False)


@pytest.mark.later
def test_the_same_with_processes_that_die_between_any_two_transactions(on_sqlite):
    company = Company(on_sqlite, contracts(range(6, 12), seed=3), until=UNTIL, deaths=0.1)
    company.live(DAYS[::7])
    assert company.mortal.kills > 30
    agree(company)


@pytest.mark.later
def test_the_same_by_three_workers_that_die(on_postgresql):
    company = Company(on_postgresql, contracts(range(12, 19), seed=4), until=UNTIL, deaths=0.02, workers=3)
    company.live(DAYS[::10])
    assert company.mortal.kills > 5
    agree(company)
