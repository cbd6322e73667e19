"""An invoice as a PDF."""

from functools import lru_cache

import segno

from billing_core.invoices.content import early_payment
from billing_core.invoices.documents import presentation
from billing_core.invoices.documents.document import InvoiceDocument
from billing_core.invoices.documents.pdf_letter import GREEN, GREY, RED, Letter
from billing_core.invoices.documents.pdf_sheets import Mark
from billing_core.invoices.models import InvoiceState
from billing_core.languages.formats import Writing, writing
from billing_core.pdf_layout.page import INK, MUTED

# Millimetres; the height is with what has to stay free above and below.
_QR_SIZE = 24
_QR_HEIGHT = _QR_SIZE + 7


def invoice_pdf(document: InvoiceDocument) -> bytes:
    """The whole file; the same document always gives the same bytes."""
    words = writing(document.language)
    name = (words.gettext("Invoice") + f" {document.number or ''}").strip()
    letter = Letter(
        words,
        document.issuer,
        running=f"{name} · {document.customer.known_as}",
        mark=_mark(document, words),
        made_at=document.made_at,
    )
    letter.set_title(f"{name}, {document.customer.known_as}")
    letter.set_subject(document.reference or name)
    letter.letterhead(document.customer, _facts(document, words), name)
    letter.figures(presentation.described(document.lines), presentation.table(document, words), document.currency)
    _below(letter, document, words)
    return letter.finished()


def _mark(document: InvoiceDocument, words: Writing) -> Mark | None:
    match document.state:
        case InvoiceState.DRAFT:
            return Mark(words.pgettext("invoice", "Draft"), GREY, across=True)
        case InvoiceState.CANCELLED:
            return Mark(words.pgettext("invoice", "Cancelled"), RED, across=True)
        case InvoiceState.PAID if document.refunded_minor and document.refunded_minor == document.paid_minor:
            return Mark(words.pgettext("invoice", "Refunded"), GREY)
        case InvoiceState.PAID:
            return Mark(words.pgettext("invoice", "Paid"), GREEN)
        case _:
            return None


def _facts(document: InvoiceDocument, words: Writing) -> list[tuple[str, str]]:
    facts = [
        (words.gettext("Number"), document.number or ""),
        (words.gettext("Date"), words.day(document.issued_on)),
        (words.gettext("Due date"), words.day(document.due_on)),
        (words.gettext("Reference"), document.reference),
        (words.gettext("Your tax ID"), document.customer.tax_id),
    ]
    return [(label, value) for label, value in facts if value]


def _below(letter: Letter, document: InvoiceDocument, words: Writing) -> None:
    """Totals on the right, with the way to pay online, payment details on the left; one below the other where that
    does not fit on a page.
    """
    left = letter.w / 2 + 5
    top, page = letter.get_y(), letter.page
    online = document.payment_url if document.due_minor > 0 else None
    letter.sums(presentation.sums(document, words), left=left)
    if document.state is not InvoiceState.CANCELLED:
        letter.box(words.gettext("Amount due"), words.money(document.due_minor, document.currency), left=left)
    if online and letter.has_room(_QR_HEIGHT):
        _pay_online(letter, online, words, left=left + 4, width=letter.right - left - 4)
        online = None
    totals_end, totals_page = letter.get_y(), letter.page
    if totals_page == page:
        letter.set_y(top + 0.6)
    if reason := presentation.zero_tax(document, words):
        letter.block(*reason, width=left - letter.l_margin - 10)
    _payment(letter, document, words, online, width=left - letter.l_margin - 10)
    if letter.page == totals_page:
        letter.set_y(max(letter.get_y(), totals_end) + 2)
    letter.block(words.gettext("Notes"), document.notes)


def _payment(letter: Letter, document: InvoiceDocument, words: Writing, online: str | None, *, width: float) -> None:
    """``online``: the link to pay by, unless it stands with the amount due."""
    if document.due_minor > 0:
        terms = words.gettext("Payable by {day}").format(day=words.day(document.due_on))
        quote = words.gettext("Please quote {number} with your payment.").format(number=document.number)
        early = early_payment.in_words(early_payment.offers(document), document.currency, words)
        parts = (terms, document.payment_terms, *early, quote if document.number else "")
        text = "\n".join(part for part in parts if part)
        letter.block(words.gettext("Payment"), text, width=width)
        letter.block(words.gettext("Bank details"), document.issuer.bank_details, width=width)
        if online:
            _pay_online(letter, online, words, left=letter.l_margin, width=width)
    elif document.payment_terms:
        letter.block(words.gettext("Terms"), document.payment_terms, width=width)
    if document.view_url:
        letter.linked(words.gettext("View online"), document.view_url, x=letter.l_margin, width=width)
        letter.set_y(letter.get_y() + 3)


def _pay_online(letter: Letter, url: str, words: Writing, *, left: float, width: float) -> None:
    letter.room_for(_QR_HEIGHT)
    # A reader needs a quiet zone of four modules around the code.
    top, beside = letter.get_y() + 3, left + _QR_SIZE + 4
    _draw_qr(letter, url, left, top)
    letter.set_y(top + 6)
    letter.linked(words.gettext("Pay online"), url, x=beside, width=width - _QR_SIZE - 4, size=11, bold=True)
    letter.put(beside, letter.get_y() + 1, words.gettext("Scan or click"), size=8, color=MUTED)
    letter.set_y(top + _QR_SIZE + 4)


def _draw_qr(letter: Letter, url: str, x: float, y: float) -> None:
    """As vectors, sharp at every size. Neighbours in a row are one bar, or hairlines would show."""
    bars, modules = _qr_bars(url)
    module = _QR_SIZE / modules
    letter.set_fill_color(*INK)
    for row, start, length in bars:
        letter.rect(x + start * module, y + row * module, length * module, module, style="F")
    letter.link(x, y, _QR_SIZE, _QR_SIZE, url)


@lru_cache(maxsize=128)
def _qr_bars(url: str) -> tuple[tuple[tuple[int, int, int], ...], int]:
    """(row, first column, length) of each dark bar, and the number of modules per side."""
    matrix = segno.make_qr(url, error="m").matrix
    bars = []
    for row, line in enumerate(matrix):
        start = None
        for column, dark in enumerate([*line, 0]):
            if dark and start is None:
                start = column
            elif not dark and start is not None:
                bars.append((row, start, column - start))
                start = None
    return tuple(bars), len(matrix)
