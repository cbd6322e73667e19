"""Money by month for charts: each amount in the month of its own day, whether it is sealed or not."""

from datetime import date

import pytest

from billing_core.dates import Period
from billing_core.figures import Scope
from billing_core.ledger import sealing
from billing_core.receivables import series
from billing_core.receivables.series import MonthOfMoney
from tests.receivables.history import History

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


@pytest.fixture(params=[0, 3, 1_000], ids=["nothing is sealed", "some is sealed", "all is sealed"])
def history(session, request) -> History:
    """January: 100.00 and 50.00 invoiced, on two days, and 7.00 EUR; 40.00 paid on the last day. March: 50.00 cancelled
    on the first, 60.00 paid."""
    history = History(session)
    customer, other = history.a_customer("C1"), history.a_customer("C2")
    first = history.send(customer, 100_00)
    history.next_step(days=30)
    second = history.send(customer, 50_00)
    history.send(other, 7_00, currency="EUR")
    history.pay({first: 40_00}, fee=1_00)
    history.next_step(days=29)
    history.cancel(second)
    history.pay({first: 60_00})
    sealing.seal(session, now=history.now, limit=request.param)
    return history


EUROS = MonthOfMoney(JANUARY, "EUR", 7_00, 0)
DOLLARS = [MonthOfMoney(JANUARY, "USD", 150_00, 40_00), MonthOfMoney(MARCH, "USD", -50_00, 60_00)]


def test_each_month_and_currency_in_which_something_happened_has_what_was_invoiced_and_collected(session, history):
    assert series.by_month(session, Scope()) == [EUROS, *DOLLARS]


def test_it_can_be_asked_for_a_period_a_currency_and_a_customer(session, history):
    first, other = (customer.id for customer in history.customers)

    assert series.by_month(session, Scope(period=Period(FEBRUARY, MARCH))) == DOLLARS[1:]
    assert series.by_month(session, Scope(period=Period(FEBRUARY, date(2026, 2, 28)))) == []
    assert series.by_month(session, Scope(currency="USD")) == DOLLARS
    assert series.by_month(session, Scope(customer_id=first)) == DOLLARS
    assert series.by_month(session, Scope(customer_id=other)) == [EUROS]
    assert series.by_month(session, Scope(as_at=date(2026, 1, 31))) == [EUROS, DOLLARS[0]]
