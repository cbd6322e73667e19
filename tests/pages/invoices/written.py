"""A draft of a customer's, opened in the editor."""

import pytest

from tests.invoices.company import a_customer, a_draft, a_line

HOSTILE = "Zoë :red[$5 *Corp*] 🚀 [x](javascript:alert(1))"
WORK = {"description": "Work", "quantity": "2,5", "unit_price": "1.234,50", "tax_rate": "19"}


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(
            session, name=HOSTILE, payment_terms="Net 45", tax_id="DE1", address="Am Kai 1", city="Bremen", country="DE"
        )


@pytest.fixture
def draft(sessions, acme) -> int:
    """2 × 100.00 and 1 × 50.00, both at 19 %: 297.50 in all."""
    with sessions.begin() as session:
        return a_draft(session, acme, a_line(), a_line("Travel", "1", "50")).id


def opened(page_as, invoice_id: int, role: str = "admin"):
    page = page_as(role).visit("invoice_editor.py", invoice=str(invoice_id))
    assert not page.exception
    return page
