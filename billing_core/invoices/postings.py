"""What an invoice posts to the ledger."""

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.errors import Conflict
from billing_core.invoices import credit_notes
from billing_core.invoices.content.totals import Line, Share, totals
from billing_core.invoices.models import Invoice
from billing_core.ledger.models import Account, EntryKind, LedgerEntry
from billing_core.ledger.service import Entry, Side


def sending(invoice: Invoice, lines: Sequence[Line], *, memo: str) -> Entry | None:
    """The customer owes the total, which is revenue and tax; None where there is neither. An invoice of 0 whose lines
    take off as much as they bill may still have both.
    """
    computed = totals(
        lines,
        invoice.currency,
        discount_percent=invoice.discount_percent,
        discount_minor=invoice.discount_minor,
        lines_rounded=invoice.lines_rounded,
        prices_include_tax=invoice.prices_include_tax,
    )
    if computed.total_minor != invoice.total_minor:
        raise Conflict("The draft's sums are not those of its lines. Change the draft, and they are computed again")
    sides = _sides(invoice, computed.shares, sign=1)
    if not any(side.amount_minor for side in sides):
        return None
    return entry(invoice, EntryKind.INVOICE, sides, effective_on=invoice.issued_on, memo=memo)


def cancelling(session: Session, invoice: Invoice, *, effective_on: date) -> Entry:
    """The opposite of the opening entry, less what credit notes have credited; effective no earlier than it."""
    sent = select(LedgerEntry.id).where(
        LedgerEntry.document == _document(invoice), LedgerEntry.kind == EntryKind.INVOICE
    )
    return entry(
        invoice,
        EntryKind.REVERSAL,
        _sides(invoice, credit_notes.left(session, invoice), sign=-1),
        effective_on=max(effective_on, invoice.issued_on),
        memo=f"{invoice.number} cancelled",
        reverses_id=session.execute(sent).scalar_one(),
    )


def entry(
    invoice: Invoice,
    kind: EntryKind,
    sides: Sequence[Side],
    *,
    effective_on: date,
    memo: str,
    reverses_id: int | None = None,
) -> Entry:
    """An entry made for this invoice."""
    return Entry(
        invoice.business_id,
        invoice.customer_id,
        invoice.currency,
        kind,
        _document(invoice),
        effective_on,
        sides,
        memo,
        reverses_id,
    )


def _document(invoice: Invoice) -> str:
    return f"invoice:{invoice.id}"


def _sides(invoice: Invoice, shares: Iterable[Share], *, sign: int) -> list[Side]:
    """The receivable, the revenue per line type, the tax per rate. ``sign`` -1 reverses them."""
    revenue: dict[str, int] = {}
    taxes: dict[str, int] = {}
    for share in shares:
        rate = f"{share.rate.normalize():f}"
        revenue[share.type] = revenue.get(share.type, 0) + share.net_minor
        taxes[rate] = taxes.get(rate, 0) + share.tax_minor
    owed = sum(revenue.values()) + sum(taxes.values())
    return [
        Side(Account.RECEIVABLE, sign * owed, invoice_id=invoice.id),
        *(Side(Account.REVENUE, -sign * amount, kind) for kind, amount in revenue.items()),
        *(Side(Account.TAX_PAYABLE, -sign * amount, rate) for rate, amount in taxes.items()),
    ]
