"""The job that credits what was bought and ends what has expired."""

from datetime import timedelta

import pytest

from billing_core import runtime
from billing_core.jobs import prepaid_credit
from tests.payments.books import NOW, TODAY, a_customer, pay
from tests.payments.prepaid.ahead import give, left, sell


@pytest.fixture
def waiting(sessions, monkeypatch):
    """Two purchases that are paid, three grants that expired, and one that goes on."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(prepaid_credit, "utc_now", lambda: NOW + timedelta(days=1))
    monkeypatch.setattr(prepaid_credit, "_BATCH", 2)
    with sessions.begin() as session:
        customer = a_customer(session)
        for amount in (10_00, 20_00):
            purchase = sell(session, customer, amount)
            pay(session, customer, amount, **{str(purchase.invoice_id): amount})
        for last_day in (TODAY, TODAY, TODAY, None):
            give(session, customer, 5_00, last_day)
    return sessions


def test_everything_that_is_due_is_done_once(waiting):
    assert prepaid_credit.keep_up() == 5
    with waiting() as session:
        assert left(session) == [0, 0, 0, 5_00, 10_00, 20_00]
    assert prepaid_credit.keep_up() == 0


def test_a_turn_ends_between_two_batches_when_the_process_does(waiting):
    asked = iter([False, True])
    assert prepaid_credit.keep_up(lambda: next(asked)) == 4
    with waiting() as session:
        assert left(session) == [0, 0, 5_00, 5_00, 10_00, 20_00]
