"""Whoever holds a customer for the sake of its credit holds up nobody who merely names that customer."""

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing_core.identity import SYSTEM
from billing_core.payments import sending
from billing_core.payments.prepaid import top_ups, upkeep
from billing_core.payments.prepaid.top_ups import Wanted
from tests.payments.books import NOW, a_customer, a_draft, pay
from tests.payments.prepaid.ahead import a_usage_draft, give, sell

Work = Callable[[Session], object]


def sent(session, customer) -> Work:
    give(session, customer, 150_00)
    invoice = a_usage_draft(session, customer)
    return lambda of_its_own: sending.send(of_its_own, SYSTEM, invoice.id, now=NOW)


def credited(session, customer) -> Work:
    purchase = sell(session, customer, 100_00)
    pay(session, customer, 100_00, **{str(purchase.invoice_id): 100_00})
    return lambda of_its_own: upkeep.run(of_its_own, SYSTEM, now=NOW, limit=1)


def topped_up(session, customer) -> Work:
    top_ups.change(session, SYSTEM, customer.id, Wanted(20_00, 100_00), now=NOW)
    return lambda of_its_own: top_ups.ask(of_its_own, SYSTEM, now=NOW, limit=1)


@pytest.mark.parametrize("prepared", [sent, credited, topped_up])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_another_invoice_of_the_customer_is_drafted_meanwhile(sessions, prepared):
    with sessions.begin() as session:
        customer = a_customer(session)
        work = prepared(session, customer)
    with sessions.begin() as holding:
        work(holding)
        with sessions.begin() as session:
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
            drafted = a_draft(session, customer)
    with sessions() as session:
        assert session.get_one(type(drafted), drafted.id).total_minor == 100_00
