"""An invoice as on its customer's page: every text in the customer's language, for the template."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from babel.core import negotiate_locale

from billing_core.invoices.content import early_payment
from billing_core.invoices.documents import presentation
from billing_core.invoices.documents.document import InvoiceDocument, Recipient
from billing_core.invoices.documents.presentation import Sum
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.rows import InvoiceView
from billing_core.languages.available import SOURCE_LANGUAGE, languages
from billing_core.languages.formats import Writing, writing


@dataclass(frozen=True, slots=True)
class SheetLine:
    """``figures`` with the names of their columns, which a narrow screen shows beside each."""

    description: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """``tone`` of the badge: quiet, good or risk. ``amount_due`` is empty where nothing is due. ``zero_tax``: heading
    and reason of what has 0 % tax.
    """

    language: str
    title: str
    badge: str
    tone: str
    sentence: str
    amount_due: str
    issuer: Issuer
    customer: Recipient
    facts: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    lines: tuple[SheetLine, ...]
    sums: tuple[Sum, ...]
    zero_tax: tuple[str, str] | None
    terms: tuple[str, ...]
    notes: str
    payment_url: str | None


_TONES: Final = {
    InvoiceStatus.PAID: "good",
    InvoiceStatus.OVERDUE: "risk",
    InvoiceStatus.CANCELLED: "risk",
}


def sheet(invoice: InvoiceView, document: InvoiceDocument, *, today: date, paid_on: date | None) -> Sheet:
    """The page of an invoice that was sent."""
    words = writing(document.language)
    status = invoice.status(today)
    table = presentation.table(document, words)
    columns = tuple(
        words.gettext(presentation.HEADINGS[title]) + (f" ({document.currency})" if title == "amount" else "")
        for title in table.titles
    )
    facts = (
        (words.gettext("Number"), document.number or ""),
        (words.gettext("Date"), words.day(document.issued_on)),
        (words.gettext("Due date"), words.day(document.due_on)),
        (words.gettext("Reference"), document.reference),
    )
    due = document.due_minor > 0
    return Sheet(
        language=words.language,
        title=words.gettext("Invoice") + f" {document.number}",
        badge=_badge(status, words),
        tone=_TONES.get(status, "quiet"),
        sentence=_sentence(status, document, words, today=today, paid_on=paid_on),
        amount_due=words.money(document.due_minor, document.currency) if due else "",
        issuer=document.issuer,
        customer=document.customer,
        facts=tuple(fact for fact in facts if fact[1]),
        columns=columns,
        lines=tuple(
            SheetLine(presentation.description(line), tuple(zip(columns, row, strict=True)))
            for line, row in zip(document.lines, table.rows, strict=True)
        ),
        sums=tuple(presentation.sums(document, words)),
        zero_tax=presentation.zero_tax(document, words),
        terms=_terms(document, words, today) if due else (),
        notes=document.notes,
        payment_url=document.payment_url if due else None,
    )


def spoken(accepted: str) -> str:
    """The first of our languages in a browser's ``Accept-Language``."""
    preferred: Iterable[str] = (part.partition(";")[0].strip() for part in accepted[:200].split(","))
    return negotiate_locale(list(preferred), list(languages()), sep="-") or SOURCE_LANGUAGE


def _badge(status: InvoiceStatus, words: Writing) -> str:
    match status:
        case InvoiceStatus.DRAFT:
            return words.pgettext("invoice", "Draft")
        case InvoiceStatus.PAID:
            return words.pgettext("invoice", "Paid")
        case InvoiceStatus.OVERDUE:
            return words.pgettext("invoice", "Overdue")
        case InvoiceStatus.REFUNDED:
            return words.pgettext("invoice", "Refunded")
        case InvoiceStatus.CANCELLED:
            return words.pgettext("invoice", "Cancelled")
        case InvoiceStatus.SENT | InvoiceStatus.VIEWED:
            # Sent and viewed mean nothing new to the customer: to them it is open.
            return words.pgettext("invoice", "Open")


def _sentence(
    status: InvoiceStatus,
    document: InvoiceDocument,
    words: Writing,
    *,
    today: date,
    paid_on: date | None,
) -> str:
    match status:
        case InvoiceStatus.CANCELLED:
            return words.gettext("This invoice was cancelled. Nothing is to be paid for it.")
        case InvoiceStatus.REFUNDED:
            return words.gettext("What was paid for this invoice was refunded.")
        case InvoiceStatus.PAID:
            if paid_on is None:
                return words.pgettext("invoice", "Paid")
            return words.gettext("This invoice was paid on {day}. Thank you.").format(day=words.day(paid_on))
        case _ if document.due_on < today:
            return words.gettext("This invoice was payable by {day}.").format(day=words.day(document.due_on))
        case _:
            return words.gettext("Payable by {day}").format(day=words.day(document.due_on))


def _terms(document: InvoiceDocument, words: Writing, today: date) -> tuple[str, ...]:
    early = early_payment.in_words(early_payment.offers(document), document.currency, words, today=today)
    quote = words.gettext("Please quote {number} with your payment.").format(number=document.number)
    return tuple(text for text in (document.payment_terms, *early, quote) if text)
