"""Money that a payer's bank has taken back for good, whole or in part, and money of it that comes back later.

`chargeback_sources` says from where it is taken.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices import queries as invoices
from billing_core.invoices.models import EventKind
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side
from billing_core.money import Money
from billing_core.payments import chargeback_sources, early_discounts, queries, write_offs
from billing_core.payments.chargeback_sources import Part
from billing_core.payments.models import (
    Allocation,
    AllocationKind,
    Chargeback,
    ChargebackSource,
    Payment,
)
from billing_core.text import reason_of

CREDIT, LOSS = ChargebackSource.CREDIT, ChargebackSource.LOSS


@dataclass(frozen=True, slots=True)
class TakenBack:
    """``amount_minor`` of a payment that its bank took back, under the ``key`` of the dispute. ``lost``: what would be
    due again is written off instead.
    """

    key: str
    amount_minor: int
    reason: str
    lost: bool = False


def take_back(
    session: Session, actor: Actor, payment_id: int, taken: TakenBack, *, today: date, now: datetime
) -> list[Chargeback]:
    """Record that this much of a payment went back to the payer; the whole amount, whatever became of the money.

    Conflict where the payment was undone, or this dispute has taken it already.
    """
    actor.require(Permission.PAYMENT_WRITE)
    why = reason_of(taken.reason)[:200]
    payment = queries.for_change(session, actor, payment_id)
    if payment.undone_at is not None:
        raise Conflict("This payment was undone already")
    if _standing(session, taken.key):
        raise Conflict("What this dispute took is recorded already")
    made = [
        _record(session, actor, payment, taken.key, part, why, today=today, now=now)
        for part in chargeback_sources.parts(session, actor, payment, taken.amount_minor)
    ]
    for one in made if taken.lost else ():
        if one.invoice_id is not None:
            due_again = one.amount_minor + one.discount_minor
            one.write_off_entry_id = write_offs.write_off(
                session, actor, one.invoice_id, reason=why, amount_minor=due_again, today=today, now=now
            )
    session.flush()
    audit.record(
        session,
        actor,
        "payment.take_back",
        ("payment", payment.id),
        label=str(Money(taken.amount_minor, payment.currency)),
        after={"reason": why, "dispute": taken.key, "written_off": taken.lost, "taken_from": _told(made)},
        now=now,
    )
    return made


def give_back(session: Session, actor: Actor, key: str, *, today: date, now: datetime) -> int:
    """What a dispute took has come back: it pays its invoices as far as they are due, the rest is the customer's
    credit. Returns the amount in minor units, 0 where nothing was taken.
    """
    actor.require(Permission.PAYMENT_WRITE)
    taken = _standing(session, key)
    if not taken:
        return 0
    payment = queries.for_change(session, actor, taken[0].payment_id)
    for one in taken:
        one.returned_entry_id = _return(session, actor, payment, one, today=today, now=now)
        one.returned_on, one.returned_at = today, now
    session.flush()
    amount = sum(one.amount_minor for one in taken)
    audit.record(
        session,
        actor,
        "payment.come_back",
        ("payment", payment.id),
        label=str(Money(amount, payment.currency)),
        after={"dispute": key, "given_to": _told(taken)},
        now=now,
    )
    return amount


def _record(
    session: Session, actor: Actor, payment: Payment, key: str, part: Part, why: str, *, today: date, now: datetime
) -> Chargeback:
    made = Chargeback(
        key=key,
        payment_id=payment.id,
        source=part.source,
        invoice_id=part.allocation.invoice_id if part.allocation else None,
        currency=payment.currency,
        amount_minor=part.amount_minor,
        taken_on=max(today, part.allocation.allocated_on) if part.allocation else today,
        reason=why,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    sides = [*_against(part), Side(Account.CASH, -part.amount_minor, payment.method)]
    made.entry_id = _post(session, actor, payment, sides, why, on=made.taken_on, now=now)
    session.add(made)
    session.flush()
    if part.allocation is not None:
        _shorten(session, actor, part.allocation, part.amount_minor, made, now=now)
    return made


def _against(part: Part) -> list[Side]:
    if part.allocation is not None:
        return [Side(Account.RECEIVABLE, part.amount_minor, invoice_id=part.allocation.invoice_id)]
    return [Side(Account.CUSTOMER_CREDIT if part.source is CREDIT else Account.BAD_DEBT, part.amount_minor)]


def _shorten(
    session: Session, actor: Actor, allocation: Allocation, by_minor: int, made: Chargeback, *, now: datetime
) -> None:
    """The allocation ends, and one of what is left takes its place; its invoice is due again for the difference, and
    for the discount that only the whole payment takes.
    """
    invoice = invoices.for_change(session, actor, allocation.invoice_id)
    allocation.undone_at, allocation.undone_entry_id = now, made.entry_id
    if allocation.amount_minor > by_minor:
        session.add(
            Allocation(
                kind=allocation.kind,
                payment_id=allocation.payment_id,
                invoice_id=invoice.id,
                amount_minor=allocation.amount_minor - by_minor,
                allocated_on=allocation.allocated_on,
                entry_id=allocation.entry_id,
                created_at=now,
                created_by=actor.name,
            )
        )
    discount = early_discounts.withdraw(session, actor, invoice, reason=made.reason, on=made.taken_on, now=now)
    made.discount_minor = discount.minor
    data = {"payment_id": made.payment_id, "amount_minor": by_minor, "reason": made.reason, **discount.facts}
    lifecycle.settle(
        session,
        actor,
        invoice,
        paid=-by_minor,
        credited=-discount.minor,
        event=EventKind.PAYMENT_UNDONE,
        data=data,
        now=now,
    )


def _return(session: Session, actor: Actor, payment: Payment, taken: Chargeback, *, today: date, now: datetime) -> int:
    """The money is there again; the entry's id."""
    day, amount = max(today, taken.taken_on), taken.amount_minor
    cash = Side(Account.CASH, amount, payment.method)
    why = "The bank has returned what the dispute took"
    if taken.source is LOSS:
        return _post(session, actor, payment, [cash, Side(Account.BAD_DEBT, -amount)], why, on=day, now=now)
    pays, invoice = 0, None
    if taken.invoice_id is not None:
        if taken.write_off_entry_id is not None:
            write_offs.undo_one(
                session, actor, taken.invoice_id, taken.write_off_entry_id, reason=why, today=day, now=now
            )
        invoice = invoices.for_change(session, actor, taken.invoice_id)
        pays = min(amount, invoice.due_minor)
    sides = [cash, Side(Account.RECEIVABLE, -pays, invoice_id=taken.invoice_id)]
    sides.append(Side(Account.CUSTOMER_CREDIT, pays - amount))
    entry_id = _post(session, actor, payment, sides, why, on=day, now=now)
    if invoice is not None and pays:
        _lengthen(session, actor, payment, invoice.id, pays, entry_id, on=day, now=now)
        data = {"payment_id": payment.id, "amount_minor": pays, "method": payment.method.value}
        lifecycle.settle(session, actor, invoice, paid=pays, event=EventKind.PAYMENT, data=data, now=now)
        early_discounts.grant_again(session, actor, invoice, on=day, now=now)
    return entry_id


def _lengthen(
    session: Session,
    actor: Actor,
    payment: Payment,
    invoice_id: int,
    by_minor: int,
    entry_id: int,
    *,
    on: date,
    now: datetime,
) -> None:
    """The payment pays this much more of the invoice: one allocation, also where a part of it was left."""
    mine = (Allocation.payment_id == payment.id, Allocation.invoice_id == invoice_id, Allocation.undone_at.is_(None))
    amount = by_minor
    for rest in session.scalars(select(Allocation).where(*mine)).all():
        rest.undone_at, rest.undone_entry_id = now, entry_id
        amount += rest.amount_minor
    made = Allocation(
        kind=AllocationKind.PAYMENT,
        payment_id=payment.id,
        invoice_id=invoice_id,
        amount_minor=amount,
        allocated_on=on,
        entry_id=entry_id,
        created_at=now,
        created_by=actor.name,
    )
    session.add(made)


def _post(
    session: Session, actor: Actor, payment: Payment, sides: list[Side], memo: str, *, on: date, now: datetime
) -> int:
    entry = Entry(
        business_id=payment.business_id,
        customer_id=payment.customer_id,
        currency=payment.currency,
        kind=EntryKind.CHARGEBACK,
        document=f"payment:{payment.public_id}",
        effective_on=on,
        sides=sides,
        memo=memo,
    )
    return ledger.post(session, actor, entry, now=now)


def _standing(session: Session, key: str) -> list[Chargeback]:
    statement = select(Chargeback).where(Chargeback.key == key, Chargeback.returned_at.is_(None))
    return list(session.scalars(statement.order_by(Chargeback.id)))


def _told(made: list[Chargeback]) -> list[dict[str, object]]:
    """For the audit log."""
    return [
        {"source": one.source.value, "invoice_id": one.invoice_id, "amount_minor": one.amount_minor} for one in made
    ]
