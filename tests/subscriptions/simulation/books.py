"""What was billed, given back and posted: as the product has it, and as the naive computation says."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from billing_core.invoices.models import CreditNote, Invoice, InvoiceLineItem, InvoiceState
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting
from billing_core.payments.models import Allocation, AllocationKind
from billing_core.subscriptions.models import InvoiceKind, SubscriptionInvoice
from tests.subscriptions.simulation.bills import Bill
from tests.subscriptions.simulation.naive import Life

# By what happened, the account and the day; of payments without the day. In minor units.
Postings = Counter[tuple[str, Account, date | None]]
# The day, the lines, the tax, what credit paid, what was given back, and whether it was voided or came at the end.
Told = tuple[date, tuple[int, ...], int, int, int, bool, bool]

# A card may be charged while it is still yesterday for the business: what is credit until the invoice's day is no less
# a payment of it.
_OF_PAYMENTS = select(Allocation.entry_id).where(Allocation.kind == AllocationKind.PAYMENT)


def told(life: Life) -> list[Told]:
    """Of the naive computation."""

    def minor(amount: Decimal) -> int:
        return int(amount.scaleb(life.contract.places))

    def one(bill: Bill) -> Told:
        given_back = sum(minor(given.net + given.tax) for given in bill.given_back)
        amounts = tuple(minor(amount) for amount in bill.amounts)
        return (
            bill.day,
            amounts,
            minor(bill.tax),
            minor(bill.by_credit),
            given_back,
            bill.voided_on is not None,
            bill.final,
        )

    return sorted(map(one, life.account.bills))


def found(session: Session, customer_id: int) -> list[Told]:
    """Of everything that was sent to the customer."""
    statement = (
        select(Invoice, SubscriptionInvoice.kind)
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .where(Invoice.customer_id == customer_id, Invoice.number.is_not(None))
    )
    return sorted(_found(session, *row) for row in session.execute(statement))


def _found(session: Session, invoice: Invoice, kind: InvoiceKind) -> Told:
    lines = select(InvoiceLineItem.amount_minor).where(InvoiceLineItem.invoice_id == invoice.id)
    applied = select(func.sum(LedgerPosting.amount_minor)).where(
        LedgerPosting.invoice_id == invoice.id,
        LedgerPosting.account == Account.RECEIVABLE,
        LedgerPosting.entry_id.in_(select(LedgerEntry.id).where(LedgerEntry.kind == EntryKind.CREDIT_APPLIED)),
        LedgerPosting.entry_id.not_in(_OF_PAYMENTS),
    )
    notes = select(func.sum(CreditNote.total_minor)).where(CreditNote.invoice_id == invoice.id)
    return (
        invoice.issued_on,
        tuple(sorted(amount for amount in session.scalars(lines) if amount)),
        invoice.tax_minor,
        -(session.scalar(applied) or 0),
        session.scalar(notes) or 0,
        # One that is credited as a whole counts as cancelled too.
        invoice.state is InvoiceState.CANCELLED and not invoice.credited_minor,
        kind is InvoiceKind.FINAL,
    )


def posted(session: Session, paying: Sequence[int]) -> Postings:
    """What was posted to each account. Of payments it is all that came, whenever, from these customers."""
    sums: Postings = Counter()
    entry, posting = LedgerEntry, LedgerPosting
    columns = (entry.kind, posting.account, posting.effective_on, func.sum(posting.amount_minor))
    statement = select(*columns).join_from(posting, entry, entry.id == posting.entry_id)
    paid = or_(entry.kind == EntryKind.PAYMENT, entry.id.in_(_OF_PAYMENTS))
    rows = session.execute(statement.where(~paid).group_by(*columns[:3]))
    for kind, account, day, amount in rows:
        sums[_GIVEN_BACK.get(kind, kind.value), account, day] += amount
    of_payments = statement.where(paid, posting.customer_id.in_(paying))
    for _, account, _, amount in session.execute(of_payments.group_by(*columns[:3])):
        sums[EntryKind.PAYMENT.value, account, None] += amount
    # What the gateway keeps for itself is none of the customers' business.
    return Counter({key: amount for key, amount in sums.items() if amount and key[0] != EntryKind.FEE.value})


_GIVEN_BACK = {EntryKind.CREDIT_NOTE: "given back", EntryKind.REFUND: "given back"}


def expected(lives: Sequence[Life], paying: Sequence[Life]) -> Postings:
    sums: Postings = Counter()
    for life in lives:
        _add(sums, life, pays=life in paying)
    return Counter({key: amount for key, amount in sums.items() if amount})


def _add(sums: Postings, life: Life, *, pays: bool) -> None:
    def post(kind: str, day: date | None, **amounts: Decimal) -> None:
        for account, amount in amounts.items():
            sums[kind, Account(account), day] += int(amount.scaleb(life.contract.places))

    for bill in life.account.bills:
        whole = {"receivable": bill.total, "revenue": -bill.net, "tax_payable": -bill.tax}
        post("invoice", bill.day, **whole)
        post("credit_applied", bill.day, receivable=-bill.by_credit, customer_credit=bill.by_credit)
        if bill.voided_on is not None:
            post("reversal", bill.voided_on, **{account: -amount for account, amount in whole.items()})
        for one in bill.given_back:
            post("given back", one.day, revenue=one.net, tax_payable=one.tax, receivable=-one.off_due)
            post("given back", one.day, customer_credit=-one.kept, cash=-one.refunded)
        if pays:
            post("payment", None, receivable=-bill.by_card, cash=bill.by_card)
    if pays:
        credit = life.contract.credit
        post("payment", None, customer_credit=-credit, cash=credit)
