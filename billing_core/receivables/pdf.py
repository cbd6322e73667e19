"""A customer's statement as a PDF, set like the invoices on it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.identity import Actor
from billing_core.invoices import issuers
from billing_core.invoices.content import early_payment
from billing_core.invoices.content.content import postal_address
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.documents.document import Recipient
from billing_core.invoices.documents.pdf_letter import Letter
from billing_core.invoices.documents.pdf_sheets import Column
from billing_core.invoices.documents.presentation import Sum
from billing_core.languages.formats import Writing, gettext_noop, writing
from billing_core.ledger.models import EntryKind
from billing_core.payments.models import PaymentMethod
from billing_core.receivables.ageing import BUCKETS, Bucket
from billing_core.receivables.statement import Statement, StatementRequest, StatementRow, early_payments, statement

_WORDS = {
    EntryKind.INVOICE: gettext_noop("Invoice"),
    EntryKind.PAYMENT: gettext_noop("Payment"),
    EntryKind.CREDIT_APPLIED: gettext_noop("Credit used"),
    EntryKind.CREDIT_NOTE: gettext_noop("Credit note"),
    EntryKind.REFUND: gettext_noop("Refund"),
    EntryKind.CREDIT_PAID_OUT: gettext_noop("Credit paid out"),
    EntryKind.WRITE_OFF: gettext_noop("Write-off"),
    EntryKind.CHARGEBACK: gettext_noop("Payment taken back by your bank"),
}
_OTHER = gettext_noop("Correction")
# As the documents themselves say it. Each stands with one kind alone: it agrees with that one's word.
_UNDONE = {
    EntryKind.INVOICE: gettext_noop("{what}, cancelled"),
    EntryKind.CREDIT_NOTE: gettext_noop("{what}, withdrawn"),
}
_OTHER_UNDONE = gettext_noop("{what}, undone")


def statement_pdf(session: Session, actor: Actor, request: StatementRequest) -> bytes:
    """The whole file, in the customer's language; NotFound where this actor may not see the customer."""
    customer = customers.one(session, actor, request.customer_id)
    # One business writes of what is owed to it: its letterhead, account and sums.
    request = replace(request, business_id=request.business_id or customer.business_id)
    account = statement(session, actor, request)
    recipient = Recipient(customer.name, postal_address(customer), customer.email, customer.tax_id)
    business_id = request.business_id or customer.business_id
    issuer = issuers.of_business(businesses.one(session, business_id))
    words = writing(customer.locale)
    name = words.gettext("Statement of account")
    letter = Letter(
        words,
        issuers.with_logo(session, issuer, business_id),
        running=f"{name} · {customer.name}",
        mark=None,
        made_at=datetime.combine(request.period.end, time(), UTC),
    )
    letter.set_title(f"{name}, {customer.name}, {request.currency}")
    letter.letterhead(recipient, _facts(account, recipient, words), name)
    _table(letter, account, words)
    _below(letter, account, early_payments(session, actor, request), words)
    return letter.finished()


def _facts(account: Statement, customer: Recipient, words: Writing) -> list[tuple[str, str]]:
    period = account.request.period
    facts = [
        (words.gettext("Period"), f"{words.day(period.start)} – {words.day(period.end)}"),
        (words.gettext("Your tax ID"), customer.tax_id),
    ]
    return [(label, value) for label, value in facts if value]


def _table(letter: Letter, account: Statement, words: Writing) -> None:
    currency = account.request.currency
    rows = list(_rows(account, words))
    on, _, due_on, charges, credited, balance = zip(*rows, strict=True)
    letter.rows(
        [
            letter.column_for(words.gettext("Date"), on, right=False),
            Column(words.gettext("Description")),
            letter.column_for(words.gettext("Due date"), due_on, right=False),
            letter.column_for(words.pgettext("statement", "Charged"), charges),
            letter.column_for(words.pgettext("statement", "Credited"), credited),
            letter.column_for(words.gettext("Balance") + f" {currency}", balance),
        ],
        rows,
    )
    letter.set_y(letter.get_y() + 4)


def _rows(account: Statement, words: Writing) -> Iterator[tuple[str, str, str, str, str, str]]:
    currency = account.request.currency
    opening = words.amount(account.opening_minor, currency)
    yield words.day(account.request.period.start), words.gettext("Opening balance"), "", "", "", opening
    if not account.rows:
        yield "", words.gettext("Nothing was charged or paid in this period."), "", "", "", ""
    for row in account.rows:
        yield (
            words.day(row.on),
            _what(row, words),
            words.day(row.due_on) if row.due_on else "",
            words.amount(row.amount_minor, currency) if row.amount_minor > 0 else "",
            words.amount(-row.amount_minor, currency) if row.amount_minor < 0 else "",
            words.amount(row.balance_minor, currency),
        )


def _what(row: StatementRow, words: Writing) -> str:
    """Such as “Invoice INV-2026-007” or “Payment, undone · RF18”."""
    if row.prepaid:
        used, back = words.gettext("Prepaid credit used"), words.gettext("Back to prepaid credit")
        what = used if row.took_prepaid else back
    elif row.returned:
        what = words.gettext("Payment returned by your bank")
    else:
        what = words.gettext(_WORDS.get(row.kind, _OTHER))
    what = f"{what} {row.document}".strip()
    if row.undone:
        what = words.gettext(_UNDONE.get(row.kind, _OTHER_UNDONE)).format(what=what)
    # The payment service's key means nothing to the customer.
    reference = words.gettext("online") if row.method is PaymentMethod.STRIPE else row.reference
    return " · ".join(part for part in (what, reference) if part)


def _below(letter: Letter, account: Statement, early: Sequence[tuple[str, Sequence[Offer]]], words: Writing) -> None:
    currency, left = account.request.currency, letter.w / 2 + 5
    if account.complete:
        sums = [
            Sum(words.gettext("Opening balance"), words.amount(account.opening_minor, currency)),
            Sum(words.pgettext("statement", "Charged"), words.amount(account.charged_minor, currency)),
            Sum(words.pgettext("statement", "Credited"), words.amount(-account.settled_minor, currency)),
        ]
    else:
        count = words.quantity(Decimal(len(account.rows)))
        only = words.gettext("Only the first {count} entries are listed; the balances count all of them.")
        letter.block(words.gettext("Notes"), only.format(count=count))
        sums = []
    closing = words.money(account.closing_minor, currency)
    letter.sums([*sums, Sum(words.gettext("Closing balance"), closing, strong=True)], left=left)
    label = words.gettext("Amount due") if account.closing_minor >= 0 else words.gettext("In your favour")
    letter.box(label, words.money(abs(account.closing_minor), currency), left=left)
    if any(account.aged):
        letter.set_y(letter.get_y() + 3)
        aged = zip(BUCKETS, account.aged, strict=True)
        strip = [(_bucket(bucket, words), words.amount(minor, currency)) for bucket, minor in aged]
        if account.credit_minor:
            strip.append((words.gettext("Your credit"), words.amount(-account.credit_minor, currency)))
        letter.strip(strip)
    lines = [
        f"{number} · {line}" for number, offers in early for line in early_payment.in_words(offers, currency, words)
    ]
    if lines:
        letter.block(words.gettext("Early payment"), "\n".join(lines))
    if account.closing_minor > 0:
        letter.block(words.gettext("Bank details"), letter.issuer.bank_details)


def _bucket(bucket: Bucket, words: Writing) -> str:
    if bucket.first is None:
        return words.gettext("Not yet due")
    if bucket.last is None:
        return words.gettext("Over {days} days").format(days=bucket.first - 1)
    return words.gettext("{days} days late").format(days=f"{bucket.first}–{bucket.last}")
