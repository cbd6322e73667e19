"""Two years of many subscriptions: the product's invoices and postings are those of a naive computation, to the cent,
however often the jobs run, whoever dies, and whoever else works.

``SUBSCRIPTIONS=200 pytest tests/subscriptions/test_simulated.py -k three_workers`` is the same with more of them.
"""

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.commands import verify
from billing_core.database import Sessions, connect
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.subscriptions.models import InvoiceKind, SubscriptionInvoice
from tests.subscriptions.contracts import FIRST, LAST, drawn
from tests.subscriptions.naive import bills
from tests.subscriptions.simulated import Company, expected_postings

DAYS = [FIRST + timedelta(days=day, hours=3) for day in range((LAST - FIRST).days)]
MONTHS = DAYS[::30]
MANY = int(os.environ.get("SUBSCRIPTIONS", "8"))
STANDSTILL = (FIRST + timedelta(days=200), FIRST + timedelta(days=390))


def agree(company: Company) -> None:
    """Every invoice and posting; and whoever's cards hold has paid."""
    for number, (one, found) in enumerate(zip(company.signed, company.billed(), strict=True)):
        assert found == bills(one.contract, LAST), f"customer {number}: {one}"
    assert company.postings() == expected_postings(company.signed)
    with company.sessions() as session:
        charged = select(Invoice.customer_id).join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        is_open = Invoice.state == InvoiceState.OPEN
        owing = set(session.scalars(charged.where(is_open, SubscriptionInvoice.kind != InvoiceKind.FINAL)))
        paying = {pair[0] for pair in zip(company.customers, company.signed, strict=True) if pair[1].cards_hold}
        assert not owing & paying
        assert [check for check in verify.checks(session) if check.wrong] == []


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


def test_two_years_day_by_day(on_sqlite):
    company = Company(on_sqlite, drawn(12, seed=1))
    company.live(DAYS)
    agree(company)


def test_the_same_hour_by_hour(on_sqlite):
    company = Company(on_sqlite, drawn(8, seed=2))
    company.live(None)
    agree(company)


def test_the_same_month_by_month_with_a_standstill(on_sqlite):
    company = Company(on_sqlite, drawn(8, seed=2))
    company.live(MONTHS, standstill=STANDSTILL)
    agree(company)


def test_the_same_with_processes_that_die_between_any_two_transactions(on_sqlite):
    company = Company(on_sqlite, drawn(8, seed=3), deaths=0.1)
    company.live(DAYS[::7])
    assert company.mortal.kills > 50
    agree(company)


def test_the_same_by_three_workers_that_die(on_postgresql):
    company = Company(on_postgresql, drawn(MANY, seed=4), deaths=0.02, workers=3)
    company.live(DAYS[::10])
    assert company.mortal.kills > 10
    agree(company)
