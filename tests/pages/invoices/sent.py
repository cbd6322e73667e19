"""An invoice that was sent and is long overdue, opened on its page."""

from datetime import date

import pytest

from billing_core.identity import SYSTEM
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from tests.invoices.company import NOW, a_customer, a_line, an_invoice

HOSTILE = "Zoë :red[$5 *Corp*] 🚀"


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session, name=HOSTILE)


@pytest.fixture
def invoice(sessions, acme) -> int:
    """2 × 100.00 and 1 × 50.00, both at 19 %: 297.50, long overdue."""
    with sessions.begin() as session:
        return an_invoice(session, acme, a_line(), a_line("Travel :red[!]", "1", "50"), customer_name=HOSTILE).id


def pay(sessions, invoice_id: int, amount_minor: int) -> None:
    with sessions.begin() as session:
        facts = Received("USD", amount_minor, PaymentMethod.CASH, date(2026, 3, 5), "till 1")
        received.record_for(session, SYSTEM, invoice_id, received=facts, today=date(2026, 3, 5), now=NOW)


def opened(page_as, invoice_id: int, role: str = "admin"):
    page = page_as(role).visit("invoice_editor.py", invoice=str(invoice_id))
    assert not page.exception
    return page
