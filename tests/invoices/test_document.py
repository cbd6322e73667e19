"""What documents say, read from the database."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import event

from billing_core.businesses.models import BusinessLogo
from billing_core.businesses.queries import default_business
from billing_core.errors import NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from billing_core.invoices.documents.document import of_credit_note, of_invoice
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.documents.pdf_credit_note import credit_note_pdf
from billing_core.invoices.models import Invoice, InvoiceState
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.invoices.documents import reader


@pytest.fixture
def business(session):
    business = default_business(session)
    business.name, business.bank_details, business.invoice_footer = "Seller Ltd", "IBAN GB29", "Registered"
    session.add(BusinessLogo(business_id=business.id, media_type="image/png", content=b"logo", checksum="c"))
    session.flush()
    return business


def test_a_drafts_document_says_what_was_written(session, business):
    lines = (a_line(discount_percent=Decimal("12.5")), a_line(tax_rate="7", discount_minor=250))
    facts = {"discount_percent": Decimal(10), "notes": "Thanks", "reference": "PO 1"}

    document = of_invoice(session, a_draft(session, a_customer(session), *lines, **facts).id)

    assert (document.number, document.state, document.due_on) == (None, InvoiceState.DRAFT, date(2026, 4, 1))
    assert (document.discount_percent, document.notes, document.reference) == (Decimal(10), "Thanks", "PO 1")
    # 175.00 at 19 % and 197.50 at 7 %, less 10 %: 335.25 + 29.93 + 12.44.
    assert document.due_minor == document.totals.total_minor == 37_762


def test_the_documents_figures_are_the_invoices_own(session, business):
    invoice = an_invoice(session, a_customer(session), a_line(unit_price="0.125"), a_line(unit_price="33.333333"))
    document = of_invoice(session, invoice.id)
    assert document.totals.subtotal_minor == invoice.subtotal_minor
    assert document.totals.tax_minor == invoice.tax_minor
    assert document.totals.total_minor == document.due_minor == invoice.total_minor


def test_a_draft_has_todays_issuer_and_a_sent_invoice_the_one_it_was_sent_by(session, business):
    customer_id = a_customer(session)
    draft, sent = a_draft(session, customer_id), an_invoice(session, customer_id)
    business.name = "Renamed Ltd"
    session.flush()
    assert of_invoice(session, draft.id).issuer.name == "Renamed Ltd"
    issuer = of_invoice(session, sent.id).issuer
    assert (issuer.name, issuer.bank_details, issuer.footer, issuer.logo) == (
        *("Seller Ltd", "IBAN GB29", "Registered", b"logo"),
    )


def test_only_an_invoice_that_was_sent_has_a_page_of_its_own(session, business):
    customer_id = a_customer(session)
    draft, sent = a_draft(session, customer_id), an_invoice(session, customer_id)
    address = "https://billing.example.com"
    assert of_invoice(session, draft.id, address=address).view_url is None
    assert of_invoice(session, sent.id, address=address).view_url == f"{address}/i/{sent.token}"
    assert of_invoice(session, sent.id).view_url is None


def test_an_invoice_is_read_in_few_statements_however_many_lines_it_has(sessions, session, business):
    invoice_id = an_invoice(session, a_customer(session), *(a_line(f"Line {place}") for place in range(50))).id
    session.expire_all()
    statements = []

    def count(*args):
        statements.append(args[2])

    event.listen(sessions.engine, "before_cursor_execute", count)
    document = of_invoice(session, invoice_id)
    event.remove(sessions.engine, "before_cursor_execute", count)
    assert [line.description for line in document.lines] == [f"Line {place}" for place in range(50)]
    assert len(statements) <= 3


def test_the_pdf_of_a_stored_invoice_says_its_total(session, business):
    # 2 × 100.00 at 19 %.
    invoice = an_invoice(session, a_customer(session))
    page = reader(invoice_pdf(of_invoice(session, invoice.id))).pages[0].extract_text()
    assert "$238.00" in page
    assert invoice.number in page


def test_a_credit_note_says_what_it_takes_back_and_of_which_invoice(session, business):
    customer_id = a_customer(session)
    invoice = an_invoice(session, customer_id, a_line(), a_line(tax_rate="0", quantity="1"))
    note = credit_notes.issue(
        session, SYSTEM, invoice.id, amount_minor=10_000, reason="Damaged goods", issued_on=TODAY, today=TODAY, now=NOW
    )

    document = of_credit_note(session, note.id)
    page = " ".join(reader(credit_note_pdf(document)).pages[0].extract_text().split())

    assert document.invoice_number == session.get_one(Invoice, invoice.id).number
    assert sum(line.amount_minor for line in document.lines) == document.subtotal_minor
    assert sum(row.tax_minor for row in document.by_rate) == document.tax_minor
    assert document.subtotal_minor + document.tax_minor == document.total_minor == 10_000
    for expected in (f"Credit note {note.number}", f"For invoice {document.invoice_number}", "Damaged goods"):
        assert expected in page
    assert "Amount credited $100.00" in page
    assert credit_note_pdf(document) == credit_note_pdf(document)


def test_a_credit_note_states_tax_of_0_percent_and_why_but_for_those_from_before(session, business):
    invoice = an_invoice(session, a_customer(session), a_line(tax_rate="0"), zero_tax_reason="Reverse charge")
    note = credit_notes.issue(session, SYSTEM, invoice.id, reason="Damaged", issued_on=TODAY, today=TODAY, now=NOW)

    def page():
        return " ".join(reader(credit_note_pdf(of_credit_note(session, note.id))).pages[0].extract_text().split())

    assert "Subtotal 200.00 Tax 0% on 200.00 0.00 Total $200.00" in page()
    assert "Tax 0% Reverse charge" in page()
    note.zero_tax_reason = None
    assert "Subtotal 200.00 Total $200.00" in page()
    assert "Reverse charge" not in page()


def test_what_was_sent_before_does_not_state_tax_of_0_percent(session, business):
    former = {"lines_rounded": False, "zero_tax_reason": "Reverse charge"}
    invoice = an_invoice(session, a_customer(session), a_line(tax_rate="0"), **former)
    page = " ".join(reader(invoice_pdf(of_invoice(session, invoice.id))).pages[0].extract_text().split())
    assert "Quantity Unit price Amount USD" in page
    assert "Subtotal 200.00 Total $200.00" in page


def test_a_credit_note_is_in_the_language_of_its_invoice(session, business):
    invoice = an_invoice(session, a_customer(session), language="de")
    facts = {"reason": "Bruch", "issued_on": TODAY, "today": TODAY, "now": NOW}
    note = credit_notes.issue(session, SYSTEM, invoice.id, amount_minor=1_000, **facts)
    assert [line.description for line in of_credit_note(session, note.id).lines] == ["Rechnung INV-2026-001: Bruch"]


def test_what_does_not_exist_has_no_document(session):
    with pytest.raises(NotFound, match="Invoice 404"):
        of_invoice(session, 404)
    with pytest.raises(NotFound, match="Credit note 404"):
        of_credit_note(session, 404)
