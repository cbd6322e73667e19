"""The page that proves that no number is missing."""

import pytest
from sqlalchemy import update

from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, number_proof
from billing_core.invoices.models import Invoice, InvoiceState
from tests.invoices.company import LATER, TODAY, a_customer, an_invoice


@pytest.fixture
def three_invoices(sessions):
    """INV-2026-001 to 003; the second was cancelled, the third has a credit note."""
    with sessions.begin() as session:
        customer = a_customer(session)
        ids = [an_invoice(session, customer).id for _ in range(3)]
        after_sending.cancel(session, SYSTEM, ids[1], now=LATER, today=TODAY)
        credit_notes.issue(
            session, SYSTEM, ids[2], amount_minor=1000, reason="Late", issued_on=TODAY, today=TODAY, now=LATER
        )
        return ids


def test_whole_series_are_proven(page_as, three_invoices):
    page = page_as("finance").visit("admin/numbers.py")
    assert not page.exception
    assert "No number is missing: 4 documents have the 4 numbers that were drawn" in page.success[0].value
    shown = page.dataframe[0].value
    assert list(shown["Last number"]) == ["INV-2026-003", "CN-2026-001"]
    assert list(shown["Count"]) == list(shown["Last place"]) == [3, 1]


def test_a_series_opens_into_its_documents_with_cancelled_ones(page_as, sessions, three_invoices):
    with sessions() as session:
        (series, notes) = number_proof.series(session, SYSTEM)
        states = number_proof.states(session, SYSTEM, series)
        assert states == {InvoiceState.OPEN: 2, InvoiceState.CANCELLED: 1}
        assert [row.number for row in number_proof.documents(session, SYSTEM, notes)] == ["CN-2026-001"]
    page = page_as("manager").visit("admin/numbers.py", series="1:invoice:INV-2026-{seq}")
    shown = page.dataframe[1].value
    assert list(shown["Number"]) == ["INV-2026-001", "INV-2026-002", "INV-2026-003"]
    assert [one[0] for one in shown["State"]] == ["Open", "Cancelled", "Open"]


def test_a_missing_number_is_named(page_as, sessions, three_invoices):
    with sessions.begin() as session:
        session.execute(update(Invoice).where(Invoice.id == three_invoices[0]).values(series=None, sequence=None))
    page = page_as("admin").visit("admin/numbers.py", series="1:invoice:INV-2026-{seq}")
    assert "Numbers are missing in 1 of 2 series" in page.error[0].value
    assert any("Missing" in one.value and "001" in one.value for one in page.markdown)


def test_before_the_first_number_the_page_says_what_begins_a_series(page_as):
    assert "No number has been drawn yet" in page_as("admin").visit("admin/numbers.py").info[0].value


def test_who_is_bound_to_a_customer_does_not_see_it(page_as, sessions):
    with sessions.begin() as session:
        customer = a_customer(session)
    page = page_as("finance", customer_id=customer).visit("admin/numbers.py")
    assert "Your role does not allow" in page.error[0].value
