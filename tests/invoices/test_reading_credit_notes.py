"""Credit notes in lists and on their own, and what an invoice's document says."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import credit_notes, lifecycle, queries
from billing_core.invoices.documents import document
from billing_core.invoices.models import CreditNoteLine, EventKind, InvoiceState
from tests.invoices.company import GRACE, LATER, READER, TODAY, a_customer, a_draft, a_line, an_invoice

DAY = timedelta(days=1)


def issue(session, invoice, minor=None, *, issued_on=TODAY, reason="Returned", today=TODAY + 9 * DAY):
    return credit_notes.issue(
        session, GRACE, invoice.id, amount_minor=minor, reason=reason, issued_on=issued_on, today=today, now=LATER
    )


def test_those_of_an_invoice_come_from_the_oldest_on_and_those_of_a_customer_from_the_newest(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    first, second, theirs = an_invoice(session, acme), an_invoice(session, acme), an_invoice(session, other)
    early = issue(session, first, 100)
    late = issue(session, first, 200, issued_on=TODAY + 2 * DAY)
    between = issue(session, second, 300, issued_on=TODAY + DAY)
    same_day = issue(session, second, 400, issued_on=TODAY + DAY)
    of_other = issue(session, theirs, 500)
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=acme)

    assert [row.id for row in credit_notes.of_invoice(session, READER, first.id)] == [early.id, late.id]
    newest_first = [late.id, same_day.id, between.id, early.id]
    for actor in (READER, bound):
        assert [row.id for row in credit_notes.of_customer(session, actor, acme)] == newest_first
        assert credit_notes.count_of_customer(session, actor, acme) == 4
    page = credit_notes.of_customer(session, READER, acme, limit=2, offset=1)
    assert [row.id for row in page] == newest_first[1:3]
    assert credit_notes.of_customer(session, bound, other) == []
    assert credit_notes.count_of_customer(session, bound, other) == 0
    assert credit_notes.of_invoice(session, bound, theirs.id) == []
    assert credit_notes.one(session, READER, of_other.id).total_minor == 500
    for actor, hidden in ((bound, of_other.id), (READER, 999)):
        with pytest.raises(NotFound):
            credit_notes.one(session, actor, hidden)


def test_fifty_are_on_a_page(session):
    invoice = an_invoice(session, a_customer(session))
    ids = [issue(session, invoice, 1).id for _ in range(51)]
    page = credit_notes.of_customer(session, READER, invoice.customer_id)
    assert [row.id for row in page] == ids[:0:-1]


def test_one_is_dated_between_its_invoice_and_today_or_on_the_day_of_one_dated_ahead(session):
    invoice = an_invoice(session, a_customer(session))
    assert issue(session, invoice, 1, issued_on=TODAY, today=TODAY).issued_on == TODAY
    ahead = an_invoice(session, invoice.customer_id, issued_on=TODAY + 5 * DAY)
    assert issue(session, ahead, 1, issued_on=TODAY + 5 * DAY, today=TODAY).issued_on == TODAY + 5 * DAY


def test_all_of_it_leaves_nothing_due(session):
    invoice = an_invoice(session, a_customer(session), a_line(), a_line("Fee", "1", "50", "0"))
    note = issue(session, invoice)
    assert (note.subtotal_minor, note.tax_minor, note.total_minor, note.refund_minor) == (25_000, 3_800, 28_800, 0)
    assert (invoice.state, invoice.due_minor) == (InvoiceState.CANCELLED, 0)
    event = queries.events(session, invoice.id)[0]
    assert event.data == {"amount_minor": 28_800, "credit_note": "CN-2026-001", "reason": "Returned"}
    lines = session.scalars(select(CreditNoteLine).order_by(CreditNoteLine.position)).all()
    assert [(line.position, line.tax_rate, line.amount_minor, line.tax_minor) for line in lines] == [
        (1, Decimal(19), 20_000, 3_800),
        (2, Decimal(0), 5_000, 0),
    ]
    with pytest.raises(Conflict, match="Nothing is due"):
        issue(session, invoice, 1)


def test_its_document_adds_up_by_rate(session):
    """Half of 238.00 (38.00 tax), 107.00 (7.00 tax) and 50.00 is 197.50, of which 22.50 is tax."""
    lines = (a_line(), a_line("Books", "1", "100", "7"), a_line("Fee", "1", "50", "0"), a_line("More", "1", "100", "7"))
    invoice = an_invoice(session, a_customer(session, tax_id="T1", address="1 Main St"), *lines[:3])
    said = document.of_credit_note(session, issue(session, invoice, 197_50).id)
    assert [(row.rate, row.net_minor, row.tax_minor) for row in said.by_rate] == [
        (Decimal(0), 25_00, 0),
        (Decimal(7), 50_00, 3_50),
        (Decimal(19), 100_00, 19_00),
    ]
    assert (said.subtotal_minor, said.tax_minor, said.total_minor, said.refund_minor) == (175_00, 22_50, 197_50, 0)
    assert (said.number, said.invoice_number, said.invoice_issued_on) == ("CN-2026-001", "INV-2026-001", TODAY)
    assert (said.customer.known_as, said.reason, said.issuer.name) == ("Acme Corp", "Returned", "My business")


def test_an_invoices_document_says_what_was_settled(session):
    invoice = an_invoice(session, a_customer(session), customer_name="")
    for amounts in ({"paid": 100_00}, {"credited": 8_00}, {"written_off": 10_00}, {"refunded": 40_00}):
        lifecycle.settle(session, SYSTEM, invoice, event=EventKind.PAYMENT, now=LATER, **amounts)
    said = document.of_invoice(session, invoice.id, address="https://b.example")
    assert (said.paid_minor, said.credited_minor, said.written_off_minor) == (100_00, 8_00, 10_00)
    assert (said.refunded_minor, said.due_minor, said.payment_url) == (40_00, 120_00, None)
    assert (said.customer.known_as, said.made_at) == ("ap@acme.example", invoice.sent_at)
    draft = document.of_invoice(session, a_draft(session, invoice.customer_id).id)
    assert (draft.due_minor, draft.made_at) == (238_00, invoice.created_at)
