"""Documents are written as the customer's region writes figures and dates, and stay so once they are sent."""

import pytest
from sqlalchemy import select

from billing_core.customers import service as customers
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from billing_core.invoices.content.content import blank
from billing_core.invoices.documents.document import of_credit_note, of_invoice
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.documents.pdf_credit_note import credit_note_pdf
from billing_core.invoices.models import Invoice
from billing_core.mailing import letters
from billing_core.mailing.models import MailKind
from billing_core.mailing.service import views
from billing_core.receivables.pdf import statement_pdf
from billing_core.receivables.statement import StatementRequest
from billing_core.web.public.invoice_sheet import sheet
from tests.invoices.company import NOW, TODAY, a_customer, a_line, an_invoice
from tests.invoices.documents import reader


def change(session, customer_id, **facts) -> Customer:
    version = session.get_one(Customer, customer_id).version
    return customers.change(session, SYSTEM, customer_id, version=version, facts=facts, now=NOW)


def invoiced(session, customer_id) -> Invoice:
    """10,374.45 with 19 % tax: 12,345.60 by hand."""
    language = blank(session, SYSTEM, customer_id, today=TODAY).language
    line = a_line("Beratung", quantity="1", unit_price="10374.45", tax_rate="19")
    return an_invoice(session, customer_id, line, language=language, currency="CHF")


def words(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader(pdf).pages).replace("\xa0", " ").split())


def test_all_that_a_swiss_customer_receives_is_written_as_in_switzerland(session):
    customer_id = a_customer(session, language="de", country="CH", currency="CHF")
    invoice = invoiced(session, customer_id)
    note = credit_notes.issue(
        session, SYSTEM, invoice.id, amount_minor=1_190_00, reason="Mangel", issued_on=TODAY, today=TODAY, now=NOW
    )
    document = of_invoice(session, invoice.id)
    (view,) = views(session, SYSTEM, [invoice.id])
    values = letters.invoice_values(view, document.issuer, today=TODAY)
    account = StatementRequest(customer_id, "CHF", Period(TODAY, TODAY))

    assert invoice.language == "de-CH"
    for written in ("Rechnung INV-2026-001", "10’374.45", "CHF 12’345.60", "19%"):
        assert written in words(invoice_pdf(document))
    assert "CHF 1’190.00" in words(credit_note_pdf(of_credit_note(session, note.id)))
    assert "CHF 11’155.60" in words(statement_pdf(session, SYSTEM, account))
    assert values["total"] == "CHF\xa012’345.60"
    assert sheet(view, document, today=TODAY, paid_on=None).language == "de"
    # The mail's text is the German one.
    wording = letters.wordings(session, [invoice.business_id]).of(invoice.business_id, MailKind.INVOICE, view.language)
    assert letters.letter(wording, values, view.language).language == "de"


def test_a_region_may_be_chosen_instead_of_the_customers_country(session):
    customer_id = a_customer(session, country="US", currency="CHF")
    change(session, customer_id, format_region="India")
    assert session.get_one(Customer, customer_id).format_region == "IN"
    assert "CHF 12,345.60" in words(invoice_pdf(of_invoice(session, invoiced(session, customer_id).id)))
    assert session.get_one(Customer, customer_id).locale == "en-IN"


def test_what_was_sent_stays_as_it_was_written(session):
    customer_id = a_customer(session, language="de", currency="CHF")
    before_regions = an_invoice(session, customer_id, language="de")
    swiss = invoiced(session, customer_id)
    change(session, customer_id, country="CH")
    later = invoiced(session, customer_id)
    sent = [invoice_pdf(of_invoice(session, one.id)) for one in (before_regions, swiss, later)]

    change(session, customer_id, format_region="AT")
    again = [invoice_pdf(of_invoice(session, one.id)) for one in (before_regions, swiss, later)]

    assert again == sent
    assert ["12.345,60 CHF" in words(sent[1]), "CHF 12’345.60" in words(sent[2])] == [True, True]
    assert session.scalars(select(Invoice.language).order_by(Invoice.id)).all() == ["de", "de", "de-CH"]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"format_region": "Atlantis"}, "is not a country that we know, by name or ISO code"),
        ({"format_region": "MX"}, "is no country whose way of writing English is known"),
        ({"format_region": "IN", "language": "de"}, "is no country whose way of writing Deutsch is known"),
    ],
)
def test_a_region_that_does_not_write_the_language_is_refused(session, facts, reason):
    customer_id = a_customer(session)
    with pytest.raises(Invalid) as refused:
        change(session, customer_id, **facts)
    assert refused.value.fields == {"format_region": reason}
