"""A credit note as a PDF."""

from billing_core.invoices.documents import presentation
from billing_core.invoices.documents.document import CreditNoteDocument
from billing_core.invoices.documents.pdf_letter import RED, Letter
from billing_core.invoices.documents.pdf_sheets import Mark
from billing_core.invoices.documents.presentation import Sum
from billing_core.languages.formats import Writing, writing


def credit_note_pdf(document: CreditNoteDocument) -> bytes:
    """The whole file; the same document always gives the same bytes."""
    words = writing(document.language)
    name = words.gettext("Credit note") + f" {document.number}"
    letter = Letter(
        words,
        document.issuer,
        running=f"{name} · {document.customer.known_as}",
        mark=Mark(_withdrawn(words), RED, across=True) if document.withdrawn_on else None,
        made_at=document.made_at,
    )
    letter.set_title(f"{name}, {document.customer.known_as}")
    letter.set_subject(words.gettext("For invoice") + f" {document.invoice_number}")
    letter.letterhead(document.customer, _facts(document, words), name)
    letter.block(words.gettext("Reason"), document.reason)
    table = presentation.credited_table(document, words)
    letter.figures(presentation.described(document.lines), table, document.currency)
    left = letter.w / 2 + 5
    letter.sums(_sums(document, words), left=left)
    letter.box(words.gettext("Amount credited"), words.money(document.total_minor, document.currency), left=left)
    if reason := presentation.zero_tax(document, words):
        letter.set_y(letter.get_y() + 2)
        letter.block(*reason)
    return letter.finished()


def _facts(document: CreditNoteDocument, words: Writing) -> list[tuple[str, str]]:
    facts = [
        (words.gettext("Number"), document.number),
        (words.gettext("Date"), words.day(document.issued_on)),
        (words.gettext("For invoice"), document.invoice_number),
        (words.gettext("Invoice date"), words.day(document.invoice_issued_on)),
        (words.gettext("Your tax ID"), document.customer.tax_id),
        (_withdrawn(words), words.day(document.withdrawn_on) if document.withdrawn_on else ""),
    ]
    return [(label, value) for label, value in facts if value]


def _withdrawn(words: Writing) -> str:
    return words.pgettext("credit note", "Withdrawn")


def _sums(document: CreditNoteDocument, words: Writing) -> list[Sum]:
    currency = document.currency
    sums = [Sum(words.gettext("Subtotal"), words.amount(document.subtotal_minor, currency))]
    if document.prices_include_tax:
        whole = words.amount(sum(line.amount_minor for line in document.lines), currency)
        sums.insert(0, Sum(words.gettext("Sum of lines (prices include tax)"), whole))
    if document.zero_tax_reason is not None or document.tax_minor or len(document.by_rate) > 1:
        sums += presentation.taxes(document.by_rate, currency, words)
    sums.append(Sum(words.gettext("Total"), words.money(document.total_minor, currency), strong=True))
    if document.refund_minor:
        sums.append(Sum(words.gettext("Of which refunded"), words.amount(document.refund_minor, currency)))
    return sums
