"""Customer credit: money that a customer has paid and that pays no invoice yet.

Every change locks the customer's row, so that credit is spent only once.
"""

from datetime import date, datetime

from sqlalchemy import Integer, String, bindparam, func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, postings
from billing_core.invoices import queries as invoices
from billing_core.invoices.content import early_payment
from billing_core.invoices.models import EventKind, Invoice
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind, LedgerPosting
from billing_core.ledger.service import Entry, Side
from billing_core.money import Money
from billing_core.payments import early_discounts
from billing_core.payments.models import (
    LONGEST_REFERENCE,
    Allocation,
    AllocationKind,
    PaymentMethod,
    Refund,
    RefundSource,
)
from billing_core.payments.prepaid import returning
from billing_core.text import reason_of, reference_of

# Put together once, which takes longer than carrying it out.
_BALANCE = select(func.coalesce(func.sum(LedgerPosting.amount_minor), 0)).where(
    LedgerPosting.account == Account.CUSTOMER_CREDIT,
    LedgerPosting.customer_id == bindparam("customer_id", type_=Integer),
    LedgerPosting.currency == bindparam("currency", type_=String),
    LedgerPosting.business_id == bindparam("business_id", type_=Integer),
)


def balance(session: Session, business_id: int, customer_id: int, currency: str) -> Money:
    """The credit that the customer can spend with this business in this currency."""
    owner = {"customer_id": customer_id, "currency": currency, "business_id": business_id}
    posted = session.connection().scalar(_BALANCE, owner)
    return Money(-int(posted or 0), currency)


def balances(session: Session, actor: Actor, customer_id: int) -> list[tuple[int, Money]]:
    """(business id, credit) of every business and currency in which the customer has any."""
    actor.require(Permission.PAYMENT_READ)
    customers.one(session, actor, customer_id)
    rows = session.execute(
        select(LedgerPosting.business_id, LedgerPosting.currency, func.sum(LedgerPosting.amount_minor))
        .where(LedgerPosting.account == Account.CUSTOMER_CREDIT, LedgerPosting.customer_id == customer_id)
        .group_by(LedgerPosting.business_id, LedgerPosting.currency)
        .order_by(LedgerPosting.business_id, LedgerPosting.currency)
    )
    return [(business_id, Money(-int(minor), currency)) for business_id, currency, minor in rows if minor]


def apply(session: Session, actor: Actor, invoice_id: int, *, amount_minor: int, today: date, now: datetime) -> None:
    """Pay an invoice, or part of it, from the customer's credit. Exactly what it costs early payers settles it."""
    actor.require(Permission.PAYMENT_WRITE)
    shown = invoices.one(session, actor, invoice_id)
    customers.for_change(session, actor, shown.customer_id)
    invoice = invoices.for_change(session, actor, invoice_id)
    available = balance(session, invoice.business_id, invoice.customer_id, invoice.currency)
    if amount_minor <= 0:
        raise Invalid("Choose an amount of more than 0", fields={"amount": "must be more than 0"})
    if amount_minor > invoice.due_minor:
        reason = f"only {invoice.amount_due} is due"
        raise Invalid(f"On invoice {invoice.number} {reason}", fields={"amount": reason})
    if amount_minor > available.minor:
        raise Invalid(f"The customer's credit is {available}", fields={"amount": f"the credit is {available}"})

    # Nothing is owed before the invoice's own date, which may be in the future.
    applied_on = max(today, invoice.issued_on)
    taken = early_payment.taken_by(early_payment.offers(invoice), amount_minor, applied_on)
    sides = [
        Side(Account.CUSTOMER_CREDIT, amount_minor),
        Side(Account.RECEIVABLE, -amount_minor, invoice_id=invoice.id),
    ]
    memo = "customer credit applied"
    entry = postings.entry(invoice, EntryKind.CREDIT_APPLIED, sides, effective_on=applied_on, memo=memo)
    entry_id = ledger.post(session, actor, entry, now=now)
    session.add(
        Allocation(
            kind=AllocationKind.CREDIT,
            payment_id=None,
            invoice_id=invoice.id,
            amount_minor=amount_minor,
            allocated_on=applied_on,
            entry_id=entry_id,
            created_at=now,
            created_by=actor.name,
        )
    )
    data = {"amount_minor": amount_minor}
    lifecycle.settle(session, actor, invoice, paid=amount_minor, event=EventKind.CREDIT_APPLIED, data=data, now=now)
    audit.record(
        session,
        actor,
        "payment.apply_credit",
        ("invoice", invoice.id),
        label=invoice.number or "",
        after={**data, "currency": invoice.currency},
        now=now,
    )
    if taken is not None:
        early_discounts.credit(session, actor, invoice, taken, applied_on, now=now)


def spend(session: Session, actor: Actor, invoice: Invoice, *, today: date, now: datetime, kept_minor: int = 0) -> int:
    """Pay what is due on an invoice from what credit there is, but for what is kept due; what was used, in minor units.

    Where the credit goes so far, exactly what the invoice costs early payers.
    """
    actor.require(Permission.PAYMENT_WRITE)
    left = balance(session, invoice.business_id, invoice.customer_id, invoice.currency).minor
    early = None if kept_minor else early_payment.best_on(invoice, today)
    wanted = early.to_pay_minor if early and left >= early.to_pay_minor else invoice.due_minor - kept_minor
    usable = min(left, wanted)
    if usable <= 0:
        return 0
    apply(session, actor, invoice.id, amount_minor=usable, today=today, now=now)
    return usable


def release(session: Session, actor: Actor, allocation_id: int, *, reason: str, today: date, now: datetime) -> None:
    """Turn an invoice's allocation back into the customer's credit, or the prepaid credit that it came from.

    The invoice is due again.
    """
    actor.require(Permission.PAYMENT_WRITE)
    why = reason_of(reason)
    allocation = session.get(Allocation, allocation_id)
    if allocation is None:
        raise NotFound("There is no such allocation")
    shown = invoices.one(session, actor, allocation.invoice_id)
    customers.for_change(session, actor, shown.customer_id)
    invoice = invoices.for_change(session, actor, allocation.invoice_id)
    # The customer's lock covers it: what was undone while waiting for that lock is seen now.
    session.refresh(allocation)
    if allocation.undone_at is not None:
        raise Conflict("This allocation was reversed already")
    returning.refuse_release(session, allocation.id)

    amount = allocation.amount_minor
    prepaid = allocation.kind is AllocationKind.PREPAID
    account = Account.PREPAID_CREDIT if prepaid else Account.CUSTOMER_CREDIT
    sides = [Side(Account.RECEIVABLE, amount, invoice_id=invoice.id), Side(account, -amount)]
    day = max(today, allocation.allocated_on)
    entry = postings.entry(invoice, EntryKind.CREDIT_APPLIED, sides, effective_on=day, memo=why)
    undone_entry_id = ledger.post(session, actor, entry, now=now)
    allocation.undone_entry_id, allocation.undone_at = undone_entry_id, now
    if prepaid:
        returning.release(session, actor, allocation, entry_id=undone_entry_id, on=day, now=now)
    discount = early_discounts.withdraw(session, actor, invoice, reason=why, on=day, now=now)
    data = {"amount_minor": amount, "reason": why, "payment_id": allocation.payment_id, **discount.facts}
    lifecycle.settle(
        session,
        actor,
        invoice,
        paid=-amount,
        credited=-discount.minor,
        event=EventKind.PAYMENT_UNDONE,
        data=data,
        now=now,
    )
    audit.record(
        session,
        actor,
        "payment.release",
        ("invoice", invoice.id),
        label=invoice.number or "",
        after={**data, "currency": invoice.currency},
        now=now,
    )


def pay_out(
    session: Session,
    actor: Actor,
    *,
    customer_id: int,
    business_id: int,
    amount: Money,
    method: PaymentMethod,
    reason: str,
    today: date,
    now: datetime,
    reference: str = "",
) -> Refund:
    """Pay a customer's credit back to them."""
    actor.require(Permission.PAYMENT_WRITE)
    why, named = reason_of(reason), reference_of(reference, LONGEST_REFERENCE)
    customer = customers.for_change(session, actor, customer_id)
    available = balance(session, business_id, customer_id, amount.currency)
    if not 0 < amount.minor <= available.minor:
        raise Invalid(
            f"The customer's credit is {available}", fields={"amount": f"must be more than 0 and at most {available}"}
        )
    refund = Refund(
        source=RefundSource.CREDIT,
        business_id=business_id,
        customer_id=customer_id,
        currency=amount.currency,
        amount_minor=amount.minor,
        method=method,
        refunded_on=today,
        reference=named,
        reason=why,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    refund.entry_id = ledger.post(
        session,
        actor,
        Entry(
            business_id=business_id,
            customer_id=customer_id,
            currency=amount.currency,
            kind=EntryKind.CREDIT_PAID_OUT,
            document=f"customer:{customer_id}",
            effective_on=today,
            sides=[Side(Account.CUSTOMER_CREDIT, amount.minor), Side(Account.CASH, -amount.minor, method)],
            memo=refund.reference,
        ),
        now=now,
    )
    session.add(refund)
    session.flush()
    audit.record(
        session,
        actor,
        "payment.pay_out_credit",
        ("customer", customer_id),
        label=customer.name,
        after={"amount_minor": amount.minor, "currency": amount.currency, "method": method.value, "reason": why},
        now=now,
    )
    return refund
