"""Documents to set on paper, without a database."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from pypdf import PdfReader

from billing_core.invoices.content.totals import Line, totals
from billing_core.invoices.documents.document import DocumentLine, InvoiceDocument, Recipient
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.models import InvoiceState

ISSUER = Issuer(
    "Acme Fulfilment Ltd",
    "1 Warehouse Road\nBristol BS1 4DJ",
    "billing@acme.example",
    tax_id="GB123456789",
    bank_details="IBAN GB29 NWBK 6016 1331 9268 19",
    footer="Registered in England 01234567",
)
CUSTOMER = Recipient("Globex GmbH", "Musterstraße 12\n10115 Berlin", tax_id="DE987654321")


def a_line(description="Work", quantity="1", unit_price="100", tax_rate="0", percent=None, minor=None) -> DocumentLine:
    off = Decimal(percent) if percent else None
    return DocumentLine(description, Decimal(quantity), Decimal(unit_price), Decimal(tax_rate), 0, off, minor)


def a_document(
    *lines: DocumentLine,
    discount_percent=None,
    discount_minor=None,
    lines_rounded=True,
    prices_include_tax=False,
    **facts,
) -> InvoiceDocument:
    """An open invoice in EUR and English, unless ``facts`` say otherwise."""
    currency = facts.get("currency", "EUR")
    lines = lines or (a_line(),)
    figures = totals(
        [
            Line(line.quantity, line.unit_price, line.tax_rate, "service", line.discount_percent, line.discount_minor)
            for line in lines
        ],
        currency,
        discount_percent=discount_percent,
        discount_minor=discount_minor,
        lines_rounded=lines_rounded,
        prices_include_tax=prices_include_tax,
    )
    known = {
        "number": "INV-2026-007",
        "state": InvoiceState.OPEN,
        "language": "en",
        "currency": currency,
        "issued_on": date(2026, 3, 2),
        "due_on": date(2026, 4, 1),
        "reference": "PO 4711",
        "payment_terms": "Net 30",
        "notes": "",
        "issuer": ISSUER,
        "customer": CUSTOMER,
        "paid_minor": 0,
        "credited_minor": 0,
        "written_off_minor": 0,
        "refunded_minor": 0,
        "due_minor": figures.total_minor,
        "made_at": datetime(2026, 3, 2, 9, tzinfo=UTC),
    }
    return InvoiceDocument(
        lines=tuple(replace(line, amount_minor=minor) for line, minor in zip(lines, figures.lines, strict=True)),
        totals=figures,
        discount_percent=discount_percent,
        **known | facts,
    )


def reader(content: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(content))


def pages(document: InvoiceDocument) -> list[str]:
    """The text of each page, its lines joined by single spaces."""
    return [" ".join(page.extract_text().split()) for page in reader(invoice_pdf(document)).pages]


def text(document: InvoiceDocument) -> str:
    return " ".join(pages(document))
