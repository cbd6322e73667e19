"""A customer with an open invoice of 100.00 EUR and a card on file."""

from dataclasses import dataclass

import pytest

from tests.online_payments.off_session.cards import put_on_file
from tests.payments.books import a_customer, an_open_invoice


@dataclass(frozen=True)
class Place:
    customer_id: int
    invoice_id: int
    method_id: int


@pytest.fixture
def place(sessions, gateway) -> Place:
    with sessions.begin() as session:
        customer = a_customer(session)
        invoice_id = an_open_invoice(session, customer).id
        customer_id = customer.id
    return Place(customer_id, invoice_id, put_on_file(sessions, gateway, customer_id))
