"""The proof that every amount stored in a document agrees with the ledger, in a few statements over everything."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core import figures, proof
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.ledger import queries as balances
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting
from billing_core.payments.models import Allocation, Chargeback, Payment, Refund, RefundSource
from billing_core.proof import Check
from billing_core.receivables.figures import FIGURES

# The entries that make up each of an invoice's amounts; their reversals count against it.
_KEPT_BY: Final = {
    "paid": (EntryKind.PAYMENT, EntryKind.CREDIT_APPLIED, EntryKind.CHARGEBACK),
    "credited": (EntryKind.CREDIT_NOTE,),
    "written_off": (EntryKind.WRITE_OFF,),
}


def checks(session: Session, *, today: date) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _invoices(session)
    yield _allocations(session)
    yield _payments(session)
    yield _credit_notes(session)
    yield _refunds(session)
    yield _customer_credit(session)
    yield _figures(session, today)
    yield _chargebacks(session)
    yield _days_of_debts(session)


def _invoices(session: Session) -> Check:
    """Due, paid, credited and written off, each against the postings to the invoice's receivable."""
    posted = _receivables()
    sent = Invoice.state.in_((InvoiceState.OPEN, InvoiceState.PAID))
    left = Invoice.total_minor - Invoice.paid_minor - Invoice.credited_minor - Invoice.written_off_minor
    differing = or_(
        func.coalesce(posted.c.balance, 0) != case((sent, left), else_=0),
        *(func.coalesce(posted.c[name], 0) != getattr(Invoice, f"{name}_minor") for name in _KEPT_BY),
    )
    statement = select(Invoice.id, Invoice.number).outerjoin(posted, posted.c.invoice_id == Invoice.id).where(differing)
    strangers = (
        select(posted.c.invoice_id)
        .outerjoin(Invoice, and_(Invoice.id == posted.c.invoice_id, Invoice.customer_id == posted.c.customer_id))
        .where(
            or_(
                Invoice.id.is_(None),
                Invoice.currency != posted.c.currency,
                posted.c.parties > 1,
                posted.c.currencies > 1,
            )
        )
    )
    return Check(
        "What each invoice keeps as due, paid, credited and written off is what was posted",
        proof.count(session, Invoice),
        proof.named(session, statement.order_by(Invoice.id), "invoice id {0}, {1}")
        + proof.named(session, strangers, "postings to invoice id {0}, which is not this customer's or currency's"),
    )


def _receivables() -> CTE:
    """(invoice_id, balance, paid, credited, written_off) and whose postings they are."""
    undone = aliased(LedgerEntry)
    kind = func.coalesce(undone.kind, LedgerEntry.kind)
    amount = LedgerPosting.amount_minor
    return (
        select(
            LedgerPosting.invoice_id,
            func.max(LedgerPosting.customer_id).label("customer_id"),
            func.max(LedgerPosting.currency).label("currency"),
            func.count(LedgerPosting.customer_id.distinct()).label("parties"),
            func.count(LedgerPosting.currency.distinct()).label("currencies"),
            func.sum(amount).label("balance"),
            *(func.sum(case((kind.in_(kinds), -amount), else_=0)).label(name) for name, kinds in _KEPT_BY.items()),
        )
        .join(LedgerEntry, LedgerEntry.id == LedgerPosting.entry_id)
        .outerjoin(undone, undone.id == LedgerEntry.reverses_id)
        .where(LedgerPosting.account == Account.RECEIVABLE)
        .group_by(LedgerPosting.invoice_id)
        .cte()
    )


def _allocations(session: Session) -> Check:
    """What an invoice got, and what a payment gave, by the allocations that stand."""
    standing = Allocation.undone_at.is_(None)
    given = _sums(Allocation.invoice_id, Allocation.amount_minor, standing)
    of_invoices = (
        select(Invoice.id, Invoice.number)
        .outerjoin(given, given.c.key == Invoice.id)
        .where(Invoice.paid_minor != func.coalesce(given.c.amount, 0))
    )
    spent = _sums(Allocation.payment_id, Allocation.amount_minor, standing, Allocation.payment_id.is_not(None))
    of_payments = (
        select(Payment.id)
        .join(spent, spent.c.key == Payment.id)
        .where(or_(spent.c.amount > Payment.amount_minor, Payment.undone_at.is_not(None)))
    )
    return Check(
        "What each invoice keeps as paid is what payments and credit gave it",
        proof.count(session, Allocation),
        proof.named(session, of_invoices.order_by(Invoice.id), "invoice id {0}, {1}")
        + proof.named(session, of_payments.order_by(Payment.id), "payment {0} gave more than it had"),
    )


def _payments(session: Session) -> Check:
    """Cash and fees of its entry, a fee posted later, and whether it was reversed."""
    came = _posted(Payment.entry_id, Account.CASH, Account.FEES)
    fees = _posted(Payment.entry_id, Account.FEES) + _posted(Payment.fee_entry_id, Account.FEES)
    reversal = aliased(LedgerEntry)
    statement = (
        select(Payment.id)
        .outerjoin(reversal, reversal.reverses_id == Payment.entry_id)
        .where(
            or_(
                Payment.amount_minor != came,
                Payment.fee_minor != fees,
                Payment.undone_at.is_(None) != reversal.id.is_(None),
            )
        )
    )
    return Check(
        "Each payment, its fee and whether it was undone is what was posted",
        proof.count(session, Payment),
        proof.named(session, statement.order_by(Payment.id), "payment {0}"),
    )


def _credit_notes(session: Session) -> Check:
    reversal = aliased(LedgerEntry)
    statement = (
        select(CreditNote.id, CreditNote.number)
        .outerjoin(reversal, reversal.reverses_id == CreditNote.entry_id)
        .where(
            or_(
                CreditNote.subtotal_minor != _posted(CreditNote.entry_id, Account.REVENUE),
                CreditNote.tax_minor != _posted(CreditNote.entry_id, Account.TAX_PAYABLE),
                func.coalesce(CreditNote.withdrawn_entry_id, 0) != func.coalesce(reversal.id, 0),
                CreditNote.withdrawn_on != reversal.effective_on,
                CreditNote.withdrawn_at.is_(None) != reversal.id.is_(None),
            )
        )
    )
    return Check(
        "Each credit note, and whether it was withdrawn, is what was posted of revenue and tax",
        proof.count(session, CreditNote),
        proof.named(session, statement.order_by(CreditNote.id), "credit note {1}"),
    )


def _refunds(session: Session) -> Check:
    """Each refund against its entry and against the invoice's refunded amount."""
    posted = _posted(Refund.entry_id, Account.CASH, Account.CUSTOMER_CREDIT, Account.PREPAID_CREDIT)
    paid_out = _posted(Refund.entry_id, Account.CASH)
    of_invoice = Refund.source == RefundSource.INVOICE
    differing = case((of_invoice, Refund.amount_minor != -posted), else_=Refund.amount_minor != -paid_out)
    returned = _sums(Refund.invoice_id, Refund.amount_minor, of_invoice)
    invoices = (
        select(Invoice.id, Invoice.number)
        .outerjoin(returned, returned.c.key == Invoice.id)
        .where(Invoice.refunded_minor != func.coalesce(returned.c.amount, 0))
    )
    return Check(
        "Each refund is what was posted, and what each invoice keeps as refunded",
        proof.count(session, Refund),
        proof.named(session, select(Refund.id).where(differing).order_by(Refund.id), "refund {0}")
        + proof.named(session, invoices.order_by(Invoice.id), "invoice id {0}, {1}"),
    )


def _chargebacks(session: Session) -> Check:
    """What banks took back and returned against the entries, and no more of an invoice's debt is written off for it."""
    taken, returned = _posted(Chargeback.entry_id, Account.CASH), _posted(Chargeback.returned_entry_id, Account.CASH)
    given_up = _posted(Chargeback.write_off_entry_id, Account.BAD_DEBT)
    differing = or_(
        Chargeback.amount_minor != -taken,
        and_(Chargeback.returned_at.is_not(None), Chargeback.amount_minor != returned),
        and_(
            Chargeback.write_off_entry_id.is_not(None), Chargeback.amount_minor + Chargeback.discount_minor != given_up
        ),
    )
    return Check(
        "Each chargeback, and what of it came back or was written off, is what was posted",
        proof.count(session, Chargeback),
        proof.named(session, select(Chargeback.id).where(differing).order_by(Chargeback.id), "chargeback {0}"),
    )


def _days_of_debts(session: Session) -> Check:
    """What is paid before something is owed is credit until then, so that no debt of the past is below 0."""
    debts = balances.owed_by_day().subquery()
    too_early = and_(debts.c.effective_on < Invoice.issued_on, debts.c.posted_minor != 0)
    statement = (
        select(Invoice.id, Invoice.number)
        .join(debts, debts.c.invoice_id == Invoice.id)
        .where(or_(debts.c.owed_minor < 0, too_early))
        .distinct()
    )
    return Check(
        "Nothing is owed on an invoice, or paid of it, before its own day, and never less than nothing",
        proof.count(session, Invoice),
        proof.named(session, statement.order_by(Invoice.id), "invoice id {0}, {1}"),
    )


def _customer_credit(session: Session) -> Check:
    key = (LedgerPosting.business_id, LedgerPosting.customer_id, LedgerPosting.currency)
    credit = LedgerPosting.account == Account.CUSTOMER_CREDIT
    spent_twice = select(*key).where(credit).group_by(*key).having(func.sum(LedgerPosting.amount_minor) > 0)
    return Check(
        "No customer has used more credit than they had",
        proof.count(session, select(*key).where(credit).distinct().subquery()),
        proof.named(session, spent_twice.order_by(*key), "customer {1} with business {0} in {2}"),
    )


def _figures(session: Session, today: date) -> Check:
    everything = Scope(today=today)
    with_kept_total = [figure for figure in FIGURES if figure.kept is not None]
    wrong = tuple(
        figure.title
        for figure in with_kept_total
        if _nonzero(figures.value(session, SYSTEM, figure, everything))
        != _nonzero(figures.proven(session, SYSTEM, figure, everything))
    )
    return Check("Each figure about money is the sum of its rows", len(with_kept_total), wrong)


def _posted(entry_id: ColumnElement[int] | Any, *accounts: Account) -> ColumnElement[int]:
    """In SQL: the entry's total posted to these accounts."""
    amount = func.coalesce(func.sum(LedgerPosting.amount_minor), 0)
    return (
        select(amount).where(LedgerPosting.entry_id == entry_id, LedgerPosting.account.in_(accounts)).scalar_subquery()
    )


def _sums(key: Any, amount: Any, *conditions: ColumnElement[bool]) -> CTE:
    statement: Select[*tuple[Any, ...]] = select(key.label("key"), func.sum(amount).label("amount"))
    return statement.where(*conditions).group_by(key).cte()


def _nonzero(totals: dict[str | None, int]) -> dict[str | None, int]:
    return {currency: amount for currency, amount in totals.items() if amount}
