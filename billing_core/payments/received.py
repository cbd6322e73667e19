"""Money received: recording it, and undoing what was recorded in error.

Received money is never refused: what pays no invoice becomes the customer's credit. So does what pays an invoice that
did not owe it yet, until the day from which on it does: that of a later invoice, or of the undoing of what had paid it.
A payment in time of exactly what an invoice costs those who pay early settles it: a credit note takes off the discount.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.database import sums
from billing_core.dates import EARLIEST_DAY
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, postings
from billing_core.invoices import queries as invoices
from billing_core.invoices.content import early_payment
from billing_core.invoices.models import EventKind, Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.ledger import queries as balances
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side
from billing_core.money import LARGEST_MINOR, Money, currency_code
from billing_core.payments import credit, early_discounts, queries
from billing_core.payments.models import (
    LONGEST_REFERENCE,
    Allocation,
    AllocationKind,
    Payment,
    PaymentMethod,
    new_public_id,
)
from billing_core.text import control_character, reason_of

LONGEST = {"reference": LONGEST_REFERENCE, "note": 500}


@dataclass(frozen=True, slots=True)
class Received:
    """``amount_minor`` is what the customer paid; ``fee_minor`` of it was kept by the payment provider."""

    currency: str
    amount_minor: int
    method: PaymentMethod
    received_on: date
    reference: str = ""
    note: str = ""
    fee_minor: int = 0


@dataclass(frozen=True, slots=True)
class GatewayNames:
    """A gateway's ids of a payment. ``key`` is unique, the others occur in later events."""

    mode: Mode
    key: str
    intent_id: str | None = None
    charge_id: str | None = None


def record(
    session: Session,
    actor: Actor,
    *,
    customer_id: int,
    received: Received,
    allocations: Mapping[int, int],
    today: date,
    now: datetime,
    business_id: int | None = None,
) -> Payment:
    """Record a payment that pays ``allocations`` (invoice id → minor units); the rest becomes the customer's credit.

    Invalid where a field is wrong or an invoice would get more than is due; NotFound where there is no such business.
    """
    actor.require(Permission.PAYMENT_WRITE)
    _check(received, today)
    amounts = {invoice_id: amount for invoice_id, amount in sorted(allocations.items()) if amount}
    if sum(amounts.values()) > received.amount_minor:
        raise Invalid(
            "The invoices would receive more than came in", fields={"allocations": "add up to more than the payment"}
        )
    customer = customers.for_change(session, actor, customer_id)
    if business_id is not None:
        businesses.one(session, business_id)
    paid = [invoices.for_change(session, actor, invoice_id) for invoice_id in amounts]
    for invoice in paid:
        _check_fits(invoice, customer, received.currency, amounts[invoice.id])
    owner = paid[0].business_id if paid else business_id or customer.business_id
    if any(invoice.business_id != owner for invoice in paid):
        raise Invalid("One payment cannot pay invoices of several businesses: record one for each")
    return _write(session, actor, customer, owner, received, paid, amounts, now=now)


def record_for(
    session: Session, actor: Actor, invoice_id: int, *, received: Received, today: date, now: datetime
) -> Payment:
    """Record a payment meant for one invoice, whatever its state: it pays what is due, the rest is credit."""
    actor.require(Permission.PAYMENT_WRITE)
    _check(received, today)
    shown = invoices.one(session, actor, invoice_id)
    customer = customers.for_change(session, actor, shown.customer_id)
    invoice = invoices.for_change(session, actor, invoice_id)
    fits = invoice.state is InvoiceState.OPEN and invoice.currency == received.currency
    amount = min(invoice.due_minor, received.amount_minor) if fits else 0
    paid, to_allocate = ([invoice], {invoice.id: amount}) if amount else ([], {})
    return _write(session, actor, customer, invoice.business_id, received, paid, to_allocate, now=now)


def record_collected(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    *,
    received: Received,
    names: GatewayNames,
    pays: bool,
    asked: bool = False,
    today: date,
    now: datetime,
) -> Payment:
    """Record what a gateway collected for an invoice. It pays the invoice, or becomes credit as a whole. ``asked``: it
    is what we asked for, so an early-payment discount in it holds, whenever the money came.

    The caller has locked the customer and the invoice, and knows that this payment is not recorded yet.
    """
    actor.require(Permission.PAYMENT_WRITE)
    _check(received, today)
    customer = customers.for_change(session, actor, invoice.customer_id)
    paid, to_allocate = ([invoice], {invoice.id: received.amount_minor}) if pays else ([], {})
    for one in paid:
        _check_fits(one, customer, received.currency, received.amount_minor)
    payment = _write(session, actor, customer, invoice.business_id, received, paid, to_allocate, asked=asked, now=now)
    payment.mode, payment.gateway_key = names.mode, names.key
    payment.intent_id, payment.charge_id = names.intent_id, names.charge_id
    session.flush()
    return payment


def undo(
    session: Session,
    actor: Actor,
    payment_id: int,
    *,
    reason: str,
    today: date,
    now: datetime,
) -> Payment:
    """Undo a payment that was recorded in error: its entry is reversed, and its invoices are due as before it.

    Conflict where its rest was spent as credit meanwhile, where an invoice of it was refunded, and for a gateway's
    payment, which did come in.
    """
    actor.require(Permission.PAYMENT_WRITE)
    why = reason_of(reason)[:200]
    payment = queries.for_change(session, actor, payment_id)
    if payment.undone_at is not None:
        raise Conflict("This payment was undone already")
    if payment.gateway_key is not None:
        raise Conflict("This payment came in online, so it was not recorded wrongly: refund it instead")
    of_payment = list(session.scalars(select(Allocation).where(Allocation.payment_id == payment_id)))
    standing = [allocation for allocation in of_payment if allocation.undone_at is None]
    locked = {
        invoice_id: invoices.for_change(session, actor, invoice_id)
        for invoice_id in sorted({allocation.invoice_id for allocation in standing})
    }
    _check_unspent(session, payment, standing)

    for allocation in of_payment:
        if allocation.undone_entry_id is not None:
            # It had been turned into credit, which is reversed with the payment itself.
            memo = f"payment {payment.public_id} undone"
            ledger.reverse(session, actor, allocation.undone_entry_id, effective_on=today, memo=memo, now=now)
        if allocation.entry_id != payment.entry_id:
            # It had been credit until the invoice owed it.
            ledger.reverse(session, actor, allocation.entry_id, effective_on=today, memo=why, now=now)
        elif allocation.allocated_on > today:
            _move_to_its_day(session, actor, allocation, today=today, now=now)
    ledger.reverse(session, actor, payment.entry_id, effective_on=today, memo=why, now=now)
    payment.undone_at, payment.undone_reason = now, why
    for allocation in standing:
        allocation.undone_at = now
        invoice = locked[allocation.invoice_id]
        discount = early_discounts.withdraw(session, actor, invoice, reason=why, on=today, now=now)
        data = {"payment_id": payment.id, "amount_minor": allocation.amount_minor, "reason": why}
        lifecycle.settle(
            session,
            actor,
            invoice,
            paid=-allocation.amount_minor,
            credited=-discount.minor,
            event=EventKind.PAYMENT_UNDONE,
            data=data | discount.facts,
            now=now,
        )
    audit.record(
        session,
        actor,
        "payment.undo",
        ("payment", payment.id),
        label=str(Money(payment.amount_minor, payment.currency)),
        after={"reason": why},
        now=now,
    )
    return payment


def _check(received: Received, today: date) -> None:
    reasons: dict[str, str] = {}
    if received.amount_minor <= 0:
        reasons["amount"] = "must be more than 0"
    elif received.amount_minor > LARGEST_MINOR:
        reasons["amount"] = "is larger than any payment we can take in"
    if not 0 <= received.fee_minor <= max(received.amount_minor, 0):
        reasons["fee"] = "must lie between 0 and the amount"
    if received.received_on > today:
        reasons["received_on"] = "lies in the future"
    elif received.received_on < EARLIEST_DAY:
        reasons["received_on"] = f"must not be before {EARLIEST_DAY}"
    try:
        currency_code(received.currency)
    except Invalid as unknown:
        reasons["currency"] = str(unknown)
    for field, longest in LONGEST.items():
        text: str = getattr(received, field)
        if len(text) > longest:
            reasons[field] = f"may have at most {longest} characters"
        elif control_character(text):
            reasons[field] = f"has a character in it that cannot be kept ({control_character(text)})"
    if reasons:
        raise Invalid("The payment cannot be recorded like this", fields=reasons)


def _check_fits(invoice: Invoice, customer: Customer, currency: str, amount: int) -> None:
    field = f"allocations.{invoice.id}"
    if invoice.customer_id != customer.id:
        raise Invalid(f"Invoice {invoice.number} is not this customer's", fields={field: "is another customer's"})
    if invoice.currency != currency:
        reason = f"is in {invoice.currency}, the payment in {currency}"
        raise Invalid(f"Invoice {invoice.number} {reason}", fields={field: reason})
    if amount < 0 or amount > invoice.due_minor:
        due = f"{invoice.amount_due} is due on invoice {invoice.number or 'draft'}"
        raise Invalid(f"Only {due}", fields={field: f"is not what can be paid: {due}"})


def _write(
    session: Session,
    actor: Actor,
    customer: Customer,
    business_id: int,
    received: Received,
    paid: list[Invoice],
    amounts: Mapping[int, int],
    *,
    asked: bool = False,
    now: datetime,
) -> Payment:
    adding = {received.currency: received.amount_minor}
    sums.refuse_beyond(session, Payment.amount_minor, Payment.currency, adding, what="payments")
    payment = Payment(
        public_id=new_public_id(),
        business_id=business_id,
        customer_id=customer.id,
        currency=received.currency,
        amount_minor=received.amount_minor,
        fee_minor=received.fee_minor,
        method=received.method,
        received_on=received.received_on,
        reference=received.reference.strip(),
        note=received.note.strip(),
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    day_of_offer = None if asked else received.received_on
    taken = {
        invoice.id: early_payment.taken_by(early_payment.offers(invoice), amounts[invoice.id], day_of_offer)
        for invoice in paid
    }
    rest = received.amount_minor - sum(amounts.values())
    # A discount that the payment takes is credited on the same day.
    settled = {id_: amounts[id_] + (offer.discount_minor if offer else 0) for id_, offer in taken.items()}
    days = _days(session, received.received_on, paid, settled)
    at_once = {invoice_id: amounts[invoice_id] for invoice_id, day in days.items() if day == received.received_on}
    sides = [
        Side(Account.CASH, received.amount_minor - received.fee_minor, received.method),
        Side(Account.FEES, received.fee_minor, received.method),
        *(Side(Account.RECEIVABLE, -amount, invoice_id=invoice_id) for invoice_id, amount in at_once.items()),
        Side(Account.CUSTOMER_CREDIT, sum(at_once.values()) - received.amount_minor),
    ]
    payment.entry_id = ledger.post(
        session,
        actor,
        Entry(
            business_id=business_id,
            customer_id=customer.id,
            currency=received.currency,
            kind=EntryKind.PAYMENT,
            document=f"payment:{payment.public_id}",
            effective_on=received.received_on,
            sides=sides,
            memo=payment.reference,
        ),
        now=now,
    )
    session.add(payment)
    session.flush()
    for invoice in paid:
        _allocate(session, actor, payment, invoice, amounts[invoice.id], on=days[invoice.id], now=now)
    audit.record(
        session,
        actor,
        "payment.record",
        ("payment", payment.id),
        label=f"{customer.name}, {Money(payment.amount_minor, payment.currency)}",
        after={
            "amount_minor": payment.amount_minor,
            "fee_minor": payment.fee_minor,
            "currency": payment.currency,
            "method": payment.method.value,
            "received_on": payment.received_on,
            "reference": payment.reference,
            "invoices": {str(invoice_id): amount for invoice_id, amount in amounts.items()},
            "kept_as_credit_minor": rest,
        },
        now=now,
    )
    # Last of all: the numbers of credit notes are drawn one after another.
    for invoice in paid:
        if (offer := taken[invoice.id]) is not None:
            early_discounts.credit(session, actor, invoice, offer, days[invoice.id], now=now)
    return payment


def _days(session: Session, received_on: date, paid: list[Invoice], settled: Mapping[int, int]) -> dict[int, date]:
    """From when on the money pays each invoice: the first day, not before it came and not before the invoice's own,
    from which on the invoice owes on every day what is settled of it.
    """
    owing = balances.owing_from(session, settled)
    return {one.id: max(received_on, one.issued_on, owing.get(one.id, received_on)) for one in paid}


def _allocate(
    session: Session, actor: Actor, payment: Payment, invoice: Invoice, amount: int, *, on: date, now: datetime
) -> None:
    entry_id = payment.entry_id
    if on > payment.received_on:
        sides = [
            Side(Account.CUSTOMER_CREDIT, amount),
            Side(Account.RECEIVABLE, -amount, invoice_id=invoice.id),
        ]
        memo = f"payment {payment.public_id}, received before"
        entry = postings.entry(invoice, EntryKind.CREDIT_APPLIED, sides, effective_on=on, memo=memo)
        entry_id = ledger.post(session, actor, entry, now=now)
    session.add(
        Allocation(
            kind=AllocationKind.PAYMENT,
            payment_id=payment.id,
            invoice_id=invoice.id,
            amount_minor=amount,
            allocated_on=on,
            entry_id=entry_id,
            created_at=now,
            created_by=actor.name,
        )
    )
    data = {"payment_id": payment.id, "amount_minor": amount, "method": payment.method.value}
    lifecycle.settle(session, actor, invoice, paid=amount, event=EventKind.PAYMENT, data=data, now=now)


def _move_to_its_day(session: Session, actor: Actor, allocation: Allocation, *, today: date, now: datetime) -> None:
    """For a payment that an earlier release posted to an invoice of a later day. An upgrade has made it credit until
    then, and so reversing it ends that credit first.
    """
    invoice = session.get_one(Invoice, allocation.invoice_id)
    for day, minor in ((today, allocation.amount_minor), (allocation.allocated_on, -allocation.amount_minor)):
        sides = [Side(Account.CUSTOMER_CREDIT, minor), Side(Account.RECEIVABLE, -minor, invoice_id=invoice.id)]
        memo = "credit until the day of the invoice"
        entry = postings.entry(invoice, EntryKind.CREDIT_APPLIED, sides, effective_on=day, memo=memo)
        ledger.post(session, actor, entry, now=now)


def _check_unspent(session: Session, payment: Payment, standing: list[Allocation]) -> None:
    """The part that paid no invoice must still be there as credit."""
    credited = payment.amount_minor - sum(allocation.amount_minor for allocation in standing)
    available = credit.balance(session, payment.business_id, payment.customer_id, payment.currency)
    if credited > available.minor:
        raise Conflict(
            f"{Money(credited, payment.currency)} of this payment was kept as the customer's credit, and of that only "
            f"{available} is left: take back what it paid first"
        )
