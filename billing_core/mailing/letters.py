"""Letters to customers: a wording filled in with an invoice's data, in the customer's language, as text and HTML."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.dates import Day, Period, day_of
from billing_core.invoices import issuers, lifecycle
from billing_core.invoices.content import early_payment
from billing_core.invoices.documents.document import CreditNoteDocument
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.rows import InvoiceView
from billing_core.languages.available import nearest
from billing_core.languages.formats import writing
from billing_core.mailing import default_texts, texts
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.models import MailKind, MailText
from billing_core.online_payments.off_session import requests
from billing_core.settings import settings

# A draft's number until it is sent: the template's own variable, filled in then.
TO_BE_DRAWN: Final = "{{ number }}"


@dataclass(frozen=True, slots=True)
class Letter:
    """``html`` has the same content as ``text``."""

    language: str
    subject: str
    text: str
    html: str


class Wordings:
    """The businesses' own texts where they have some, otherwise ours."""

    def __init__(self, own: Mapping[tuple[int, MailKind, str], Wording]) -> None:
        self._own = own

    def of(self, business_id: int, kind: MailKind, language: str) -> Wording:
        known = nearest(language)
        return self._own.get((business_id, kind, known)) or default_texts.of(kind, known)


def wordings(session: Session, business_ids: Collection[int]) -> Wordings:
    """The texts of these businesses, read once."""
    rows = session.scalars(select(MailText).where(MailText.business_id.in_(set(business_ids))))
    return Wordings({(row.business_id, row.kind, row.language): Wording(row.subject, row.body) for row in rows})


def senders(session: Session, invoices: Collection[InvoiceView]) -> dict[int, Issuer]:
    """The sender of each invoice, by its id: as frozen into it, or the business as it is now."""
    of_drafts = {invoice.business_id for invoice in invoices if invoice.issuer is None}
    businesses = session.scalars(select(Business).where(Business.id.in_(of_drafts)))
    current = {business.id: issuers.of_business(business) for business in businesses}
    return {
        invoice.id: current[invoice.business_id] if invoice.issuer is None else issuers.frozen(invoice.issuer)
        for invoice in invoices
    }


def invoice_link(token: str) -> str:
    """The customer's own page of an invoice."""
    return f"{settings().address}/i/{token}"


def card_link(token: str) -> str:
    """Where a customer who was asked for a card enters it."""
    return requests.address_of(token, settings().address)


def invoice_values(invoice: InvoiceView, sender: Issuer, *, today: Day) -> dict[str, Any]:
    """The values for mails about an invoice."""
    words = writing(invoice.language)
    draft = invoice.state is InvoiceState.DRAFT
    due_minor = invoice.total_minor if draft else invoice.due_minor
    return {
        # A customer without a name is greeted by the address.
        "customer_name": invoice.customer_name or invoice.customer_email,
        "business_name": sender.name,
        "number": invoice.number or TO_BE_DRAWN,
        "reference": invoice.reference,
        "issued_on": words.long_day(invoice.issued_on),
        "due_on": words.long_day(invoice.due_on),
        "days": abs((day_of(today, invoice.business_id) - invoice.due_on).days),
        "overdue": lifecycle.status(invoice, today) is InvoiceStatus.OVERDUE,
        "total": words.money(invoice.total_minor, invoice.currency),
        "amount_due": words.money(due_minor, invoice.currency),
        "early_payment": "\n".join(
            early_payment.in_words(
                early_payment.offers(invoice, due_minor),
                invoice.currency,
                words,
                today=day_of(today, invoice.business_id),
                in_sentences=True,
            )
        ),
        "part_paid": 0 < due_minor < invoice.total_minor,
        "settled": due_minor == 0,
        "link": invoice_link(invoice.token),
        # Through the invoice, so that a link replaced later needs no new mail.
        "pay_link": f"{invoice_link(invoice.token)}/pay" if invoice.payment_url else "",
    }


def credit_note_values(document: CreditNoteDocument) -> dict[str, Any]:
    """The values for the mail with a credit note."""
    words = writing(document.language)
    return {
        "customer_name": document.customer.known_as,
        "business_name": document.issuer.name,
        "number": document.number,
        "invoice_number": document.invoice_number,
        "issued_on": words.long_day(document.issued_on),
        "total": words.money(document.total_minor, document.currency),
        "reason": document.reason,
        "refunded": words.money(document.refund_minor, document.currency) if document.refund_minor else "",
    }


def statement_values(
    customer_name: str, business_name: str, period: Period, closing_minor: int, currency: str, language: str
) -> dict[str, Any]:
    """The values for the mail with a statement; a closing balance below 0 is in the customer's favour."""
    words = writing(language)
    return {
        "customer_name": customer_name,
        "business_name": business_name,
        "from_day": words.long_day(period.start),
        "to_day": words.long_day(period.end),
        "balance": words.money(abs(closing_minor), currency),
        "in_credit": closing_minor < 0,
    }


def letter(wording: Wording, values: Mapping[str, Any], language: str) -> Letter:
    """The wording, ``texts.checked``, filled in."""
    filled = Wording(texts.fill(wording.subject, values, field="subject"), texts.fill(wording.body, values))
    return _letter(filled, values, language)


def changed_letter(changed: Wording, values: Mapping[str, Any], language: str) -> Letter:
    """A letter with somebody's edits; see ``texts.fill_changed``."""
    return _letter(texts.fill_changed(changed, values), values, language)


def _letter(filled: Wording, values: Mapping[str, Any], language: str) -> Letter:
    known = nearest(language)
    links = [str(values[name]) for name in ("link", "pay_link", "card_link") if values.get(name)]
    html = _html(known, filled.subject, filled.body, links)
    return Letter(known, filled.subject, filled.body + "\n", html)


def _html(language: str, subject: str, text: str, links: Collection[str]) -> str:
    """Every character of the text is escaped; a line that is one of the links becomes one."""
    paragraphs = [block.split("\n") for block in text.split("\n\n")]
    return _page().render(language=language, subject=subject, paragraphs=paragraphs, links=links)


@cache
def _page() -> Template:
    folder = FileSystemLoader(Path(__file__).parent)
    return Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("mail.html")
