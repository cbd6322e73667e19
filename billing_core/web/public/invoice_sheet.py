"""An invoice as its customer's page shows it: every text written out in the customer's language, for the template."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from babel.core import negotiate_locale

from billing_core.invoices.documents import presentation
from billing_core.invoices.documents.document import InvoiceDocument, Issuer, Recipient
from billing_core.invoices.documents.presentation import Sum
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.rows import InvoiceView
from billing_core.languages.formats import Writing, writing
from billing_core.languages.words import LANGUAGES
from billing_core.languages.words import WORDS as DOCUMENT_WORDS
from billing_core.web.public.invoice_words import WORDS


@dataclass(frozen=True, slots=True)
class SheetLine:
    """``figures`` with the names of their columns, which a narrow screen shows beside each."""

    description: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """``tone`` of the badge: quiet, good or risk. ``amount_due`` is empty where nothing is asked for any more."""

    language: str
    words: dict[str, str]
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
    terms: tuple[str, ...]
    notes: str
    payment_url: str | None


_TONES: Final = {
    InvoiceStatus.PAID: "good",
    InvoiceStatus.OVERDUE: "risk",
    InvoiceStatus.CANCELLED: "risk",
}


def sheet(invoice: InvoiceView, document: InvoiceDocument, *, today: date, paid_on: date | None) -> Sheet:
    """What the page says of an invoice that was sent."""
    write = writing(document.language)
    words = words_of(write.language)
    status = invoice.status(today)
    table = presentation.table(document, write)
    columns = tuple(words[title] + (f" ({document.currency})" if title == "amount" else "") for title in table.titles)
    facts = (
        (words["number"], document.number or ""),
        (words["issued_on"], write.day(document.issued_on)),
        (words["due_on"], write.day(document.due_on)),
        (words["reference"], document.reference),
    )
    due = document.due_minor > 0
    return Sheet(
        language=write.language,
        words=words,
        title=f"{words['invoice']} {document.number}",
        badge=_badge(status, words),
        tone=_TONES.get(status, "quiet"),
        sentence=_sentence(status, document, write, words, today=today, paid_on=paid_on),
        amount_due=write.money(document.due_minor, document.currency) if due else "",
        issuer=document.issuer,
        customer=document.customer,
        facts=tuple(fact for fact in facts if fact[1]),
        columns=columns,
        lines=tuple(
            SheetLine(line.description, tuple(zip(columns, row, strict=True)))
            for line, row in zip(document.lines, table.rows, strict=True)
        ),
        sums=tuple(presentation.sums(document, write)),
        terms=_terms(document, words) if due else (),
        notes=document.notes,
        payment_url=document.payment_url if due else None,
    )


def words_of(language: str) -> dict[str, str]:
    """The document's words and the page's own."""
    return {**DOCUMENT_WORDS[language], **WORDS[language]}


def spoken(accepted: str) -> str:
    """Of our languages, the one that a browser's ``Accept-Language`` asks for first."""
    preferred: Iterable[str] = (part.partition(";")[0].strip() for part in accepted[:200].split(","))
    return negotiate_locale(list(preferred), list(LANGUAGES), sep="-") or LANGUAGES[0]


def _badge(status: InvoiceStatus, words: dict[str, str]) -> str:
    """A customer knows that it was sent and that they have seen it: to them it is open."""
    return words["open" if status in (InvoiceStatus.SENT, InvoiceStatus.VIEWED) else status.value]


def _sentence(
    status: InvoiceStatus,
    document: InvoiceDocument,
    write: Writing,
    words: dict[str, str],
    *,
    today: date,
    paid_on: date | None,
) -> str:
    match status:
        case InvoiceStatus.CANCELLED:
            return words["was_cancelled"]
        case InvoiceStatus.REFUNDED:
            return words["was_refunded"]
        case InvoiceStatus.PAID:
            return words["paid_on"].format(day=write.day(paid_on)) if paid_on else words["paid"]
        case _:
            late = document.due_on < today
            return words["overdue_since" if late else "payable_by"].format(day=write.day(document.due_on))


def _terms(document: InvoiceDocument, words: dict[str, str]) -> tuple[str, ...]:
    quote = words["quote"].format(number=document.number)
    return tuple(text for text in (document.payment_terms, quote) if text)
