"""Cases: questions about money for a person to settle. Opened while an event is applied, each cause once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.customers.queries import visible_to
from billing_core.errors import Conflict, NotFound
from billing_core.identity import Actor, Permission
from billing_core.money import Money
from billing_core.online_payments.models import CaseKind, PaymentCase
from billing_core.text import reason_of

# About money received, which can still be used or refunded.
OF_RECEIPT: Final = (CaseKind.AMOUNT_DIFFERS, CaseKind.CURRENCY_DIFFERS, CaseKind.NOTHING_DUE)


@dataclass(frozen=True, slots=True)
class Cause:
    """What a case is about. ``key`` names the cause permanently; amounts in minor units of ``currency``.
    ``expected_minor``: the expected amount, where it is in the same currency.
    """

    key: str
    kind: CaseKind
    customer_id: int
    currency: str
    amount_minor: int
    said: str
    invoice_id: int | None = None
    payment_id: int | None = None
    expected_minor: int | None = None


def open_case(session: Session, actor: Actor, cause: Cause, *, now: datetime) -> PaymentCase:
    """Open a case, or return the existing one. The caller has locked the customer."""
    actor.require(Permission.PAYMENT_WRITE)
    known = session.scalars(select(PaymentCase).where(PaymentCase.key == cause.key)).one_or_none()
    if known is not None:
        return known
    case = PaymentCase(
        key=cause.key,
        kind=cause.kind,
        customer_id=cause.customer_id,
        invoice_id=cause.invoice_id,
        payment_id=cause.payment_id,
        currency=cause.currency,
        amount_minor=cause.amount_minor,
        expected_minor=cause.expected_minor,
        said=cause.said[:500],
        opened_at=now,
    )
    session.add(case)
    session.flush()
    audit.record(
        session,
        actor,
        "payment_case.open",
        ("payment_case", case.id),
        label=str(Money(case.amount_minor, case.currency)),
        after={"kind": case.kind.value, "said": case.said},
        now=now,
    )
    return case


def open_again(session: Session, actor: Actor, case: PaymentCase, *, now: datetime) -> None:
    """What was settled happened once more. The caller has locked the customer."""
    actor.require(Permission.PAYMENT_WRITE)
    case.opened_at, case.settled_at, case.settled_by, case.settlement = now, None, "", ""
    session.flush()
    audit.record(
        session,
        actor,
        "payment_case.open",
        ("payment_case", case.id),
        label=str(Money(case.amount_minor, case.currency)),
        after={"kind": case.kind.value, "said": case.said},
        now=now,
    )


def settle(session: Session, actor: Actor, case_id: int, *, settlement: str, now: datetime) -> PaymentCase:
    """Mark a case as settled; ``settlement`` says how. Conflict where it is settled already."""
    actor.require(Permission.PAYMENT_WRITE)
    how = reason_of(settlement)
    visible = (PaymentCase.id == case_id, visible_to(actor, PaymentCase.customer_id))
    customer_id = session.scalar(select(PaymentCase.customer_id).where(*visible))
    if customer_id is None:
        raise NotFound("There is no such case")
    # The customer is locked first, in the same order as when an event settles it, to avoid a deadlock.
    customers.for_change(session, actor, customer_id)
    locked = select(PaymentCase).where(PaymentCase.id == case_id).with_for_update()
    case = session.scalars(locked.execution_options(populate_existing=True)).one()
    if case.settled_at is not None:
        raise Conflict(f"{case.settled_by} has settled this case already: {case.settlement}")
    case.settled_at, case.settled_by, case.settlement = now, actor.name, how
    session.flush()
    audit.record(
        session,
        actor,
        "payment_case.settle",
        ("payment_case", case.id),
        label=str(Money(case.amount_minor, case.currency)),
        after={"settlement": how},
        now=now,
    )
    return case


def settle_of_payment(session: Session, actor: Actor, payment_id: int, *, settlement: str, now: datetime) -> None:
    """A payment's use or refund settles the case that it opened when it came in."""
    actor.require(Permission.PAYMENT_WRITE)
    opened = select(PaymentCase.id).where(
        PaymentCase.payment_id == payment_id, PaymentCase.kind.in_(OF_RECEIPT), PaymentCase.settled_at.is_(None)
    )
    for case_id in session.scalars(opened.order_by(PaymentCase.id)).all():
        settle(session, actor, case_id, settlement=settlement, now=now)
