"""What is shown of a series of numbers to prove that none is missing."""

import pytest

from billing_core.businesses.models import Business
from billing_core.businesses.number_series import SeriesKind
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, credit_notes, lifecycle, number_proof, numbering, service
from billing_core.invoices.models import EventKind, InvoiceState
from tests.invoices.company import GRACE, LATER, NOW, READER, TODAY, a_customer, a_draft, a_line, an_invoice, content

SOLD = InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.CANCELLED


@pytest.fixture
def company(session):
    """INV-2026-001 to 003: open, paid, cancelled; 007 is ahead of its turn; a credit note of 38.00 on the first."""
    customer = a_customer(session)
    invoices = [an_invoice(session, customer) for _ in SOLD]
    lifecycle.settle(session, SYSTEM, invoices[1], paid=23_800, event=EventKind.PAYMENT, now=NOW)
    after_sending.cancel(session, GRACE, invoices[2].id, now=LATER, today=TODAY)
    ahead = service.create(session, GRACE, content(session, customer), now=NOW, number="AHEAD")
    # Chosen by a former version, which let people do so.
    ahead.number, ahead.number_key, ahead.series, ahead.sequence = "INV-2026-007", "inv-2026-007", "INV-2026-{seq}", 7
    service.create(session, GRACE, content(session, customer), now=NOW, number="OTHER-1")
    a_draft(session, customer)
    note = {"amount_minor": 3_800, "reason": "Returned", "issued_on": TODAY, "today": TODAY, "now": LATER}
    credit_notes.issue(session, GRACE, invoices[0].id, **note)
    other = Business(name="Second", currency="USD", time_zone="UTC")
    session.add(other)
    session.flush()
    of_other = an_invoice(session, customer, business_id=other.id)
    credit_notes.issue(session, GRACE, of_other.id, **note)
    return invoices


def of(session, kind):
    return next(one for one in number_proof.series(session, GRACE) if one.kind is kind and one.business_id == 1)


def test_the_states_of_a_series_add_up_to_its_count(session, company):
    invoices = of(session, SeriesKind.INVOICE)
    assert (invoices.last, invoices.used, invoices.ahead, invoices.whole) == (3, 3, 1, True)
    assert number_proof.states(session, GRACE, invoices) == dict.fromkeys(SOLD, 1)
    assert number_proof.holes(session, GRACE, invoices) == []


def test_its_documents_are_listed_from_the_first_on(session, company):
    invoices = of(session, SeriesKind.INVOICE)
    listed = number_proof.documents(session, GRACE, invoices)
    assert [(one.sequence, one.number, one.invoice_id, one.state) for one in listed[:3]] == [
        (place, invoice.number, invoice.id, state)
        for place, (invoice, state) in enumerate(zip(company, SOLD, strict=True), 1)
    ]
    assert [one.sequence for one in listed] == [1, 2, 3, 7]
    assert {(one.customer_name, one.issued_on, one.total_minor, one.currency) for one in listed} == {
        ("Acme Corp", TODAY, 23_800, "USD")
    }
    assert number_proof.documents(session, GRACE, invoices, limit=2, offset=1) == listed[1:3]


def test_of_credit_notes_the_invoice_is_named(session, company):
    (note,) = number_proof.documents(session, GRACE, of(session, SeriesKind.CREDIT_NOTE))
    assert (note.sequence, note.number, note.invoice_id) == (1, "CN-2026-001", company[0].id)
    assert (note.customer_name, note.total_minor, note.currency, note.state) == ("Acme Corp", 3_800, "USD", None)


def test_there_are_fifty_on_a_page(session):
    customer = a_customer(session)
    wanted = content(session, customer, a_line(quantity="1"))
    drafts = service.create_many(session, GRACE, [wanted] * 51, now=NOW)
    service.send_many(session, GRACE, drafts, now=NOW)
    (found,) = number_proof.series(session, GRACE)
    page = number_proof.documents(session, GRACE, found)
    assert [page[0].sequence, page[-1].sequence, len(page)] == [1, 50, 50]
    assert [one.sequence for one in number_proof.documents(session, GRACE, found, offset=50)] == [51]


def test_who_may_not_read_the_audit_log_sees_no_series(session, company):
    found = of(session, SeriesKind.INVOICE)
    assert number_proof.states(session, READER, found)
    bound = actor_with(Role.ADMIN, user_id=None, name="Bo", customer_id=company[0].customer_id)
    with pytest.raises(Forbidden):
        number_proof.series(session, bound)
    for read in (number_proof.states, number_proof.documents, number_proof.holes):
        with pytest.raises(Forbidden):
            read(session, bound, found)


def test_a_hundred_holes_are_named(session):
    business = an_invoice(session, a_customer(session)).business_id
    numbering.draw_many(session, session.get_one(Business, business), SeriesKind.INVOICE, TODAY, 101)
    (found,) = number_proof.series(session, GRACE)
    holes = number_proof.holes(session, GRACE, found)
    assert (len(holes), holes[0], holes[-1]) == (100, "INV-2026-002", "INV-2026-101")
