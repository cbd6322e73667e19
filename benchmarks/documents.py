"""Invoices as one-page PDFs, a second on one core, against a bare fpdf2 page with the same fonts and lines.

Three limits: fpdf2 with DejaVu as its manual says (each document reads the font files), fpdf2 with a font that every
PDF reader has (Latin letters only, nothing to embed), and our own paper without a layout.
"""

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median

from fpdf import FPDF

from billing_core.invoices.content.totals import Line, totals
from billing_core.invoices.documents.document import DocumentLine, InvoiceDocument, Recipient
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.models import InvoiceState
from billing_core.pdf_layout.fonts import FOLDER
from billing_core.pdf_layout.page import Paper

INVOICES = 100
LINES = 5
ROUNDS = 5
AIM = 100
# As many texts as such an invoice places on its page.
TEXTS = 75
_SLOW = 5
_WORDS = "Pick and pack, October 2026 · Übergrößen 1.234,50 €"


def run(_scratch: Path) -> list[dict]:
    """Every side makes its documents in turns, so that a busy minute hits all of them."""
    latin = [_invoice(number, "Globex Corporation GmbH") for number in range(INVOICES)]
    foreign = [_invoice(number, f"株式会社 {chr(0x4E00 + 7 * number)} شركة") for number in range(INVOICES)]
    sides = {
        "ours": lambda: _seconds(invoice_pdf, latin),
        "foreign": lambda: _seconds(invoice_pdf, foreign),
        "paper": lambda: _seconds(_paper, range(INVOICES)),
        "naive": lambda: _seconds(_naive, range(_SLOW)),
        "built_in": lambda: _seconds(_built_in, range(INVOICES)),
    }
    for side in sides.values():
        side()
    taken = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            taken[name].append(side())
    speed = {name: round(1 / median(seconds)) for name, seconds in taken.items()}
    return [
        _row("invoice PDF, Unicode fonts, a core: aim of 100/s", speed["ours"], AIM, ">= 1"),
        _row("invoice PDF against fpdf2 reading the same fonts", speed["ours"], speed["naive"], ">= 10"),
        _row("invoice PDF against the same texts, bare, on our paper", speed["ours"], speed["paper"], ""),
        _row("invoice PDF against fpdf2 with a built-in Latin font", speed["ours"], speed["built_in"], ""),
        _row("each to another Chinese and Arabic name, against Latin", speed["foreign"], speed["ours"], ""),
    ]


def _row(name: str, ours: int, limit: int, aim: str) -> dict:
    return {"name": name, "ours": ours, "limit": limit, "unit": "PDFs/s", "ratio": round(ours / limit, 2), "aim": aim}


def _seconds(make, subjects) -> float:
    """Seconds of CPU for one document: other processes on the machine do not count."""
    started = time.process_time()
    for subject in subjects:
        assert make(subject).startswith(b"%PDF-")
    return (time.process_time() - started) / len(subjects)


def _naive(number: int) -> bytes:
    pdf = FPDF()
    pdf.add_font("DejaVu", "", FOLDER / "DejaVuSansCondensed.ttf")
    pdf.add_font("DejaVu", "B", FOLDER / "DejaVuSansCondensed-Bold.ttf")
    return _bare(pdf, "DejaVu", number)


def _built_in(number: int) -> bytes:
    return _bare(FPDF(), "Helvetica", number)


def _bare(pdf: FPDF, family: str, number: int) -> bytes:
    words = _WORDS if family == "DejaVu" else _WORDS.replace("€", "EUR")
    pdf.add_page()
    for line in range(TEXTS):
        pdf.set_font(family, "B" if line % 7 == 0 else "", 9)
        pdf.text(20, 20 + 3 * line, f"{number} {line} {words}"[:24])
    return bytes(pdf.output())


def _paper(number: int) -> bytes:
    paper = Paper(made_at=datetime(2026, 11, 1, tzinfo=UTC))
    paper.add_page()
    for line in range(TEXTS):
        paper.put(20, 20 + 3 * line, f"{number} {line} {_WORDS}"[:24], bold=line % 7 == 0)
    return paper.content()


def _invoice(number: int, customer: str) -> InvoiceDocument:
    lines = [
        Line(Decimal(1240 + number + place), Decimal("1.85"), Decimal(19 if place else 7)) for place in range(LINES)
    ]
    figures = totals(lines, "EUR")
    return InvoiceDocument(
        number=f"INV-2026-{number:05}",
        state=InvoiceState.OPEN,
        language="de",
        currency="EUR",
        issued_on=date(2026, 11, 1),
        due_on=date(2026, 12, 1),
        reference=f"PO {4711 + number}",
        payment_terms="Net 30",
        notes="Vielen Dank für Ihren Auftrag.",
        issuer=Issuer(
            "Acme Fulfilment Ltd",
            "1 Warehouse Road\nBristol BS1 4DJ\nUnited Kingdom",
            "billing@acme.example",
            tax_id="GB123456789",
            bank_details="IBAN GB29 NWBK 6016 1331 9268 19\nBIC NWBKGB2L",
            footer="Acme Fulfilment Ltd · Registered in England 01234567",
        ),
        customer=Recipient(customer, "Musterstraße 12\n10115 Berlin\nDeutschland"),
        lines=tuple(
            DocumentLine(f"Pick and pack, week {place + 1}", line.quantity, line.unit_price, line.tax_rate, amount)
            for place, (line, amount) in enumerate(zip(lines, figures.lines, strict=True))
        ),
        totals=figures,
        discount_percent=None,
        paid_minor=0,
        credited_minor=0,
        written_off_minor=0,
        refunded_minor=0,
        due_minor=figures.total_minor,
        made_at=datetime(2026, 11, 1, tzinfo=UTC),
    )
