"""Payment methods on file: cards that the gateway keeps for a customer. Only what tells them apart comes to us."""

import re
import secrets
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database import Sessions
from billing_core.dates import last_of_month
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import GATEWAY, Mode
from billing_core.online_payments.gateway import AttachedMethod, Gateway, GatewayCustomer
from billing_core.online_payments.models import AttemptState, ChargeAttempt, PaymentMethodOnFile
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message


@dataclass(frozen=True, slots=True)
class CardRow:
    """A card on file, for lists; the fields are those of a ``PaymentMethodOnFile``, and its customer's name."""

    id: int
    public_id: str
    customer_id: int
    customer_name: str
    mode: Mode
    gateway_customer_id: str
    gateway_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    expires_on: date
    attached_at: datetime
    attached_by: str


_COLUMNS: Final[tuple[Any, ...]] = tuple(
    Customer.name if field.name == "customer_name" else getattr(PaymentMethodOnFile, field.name)
    for field in fields(CardRow)
)
DETACH: Final = "detach_payment_method"
_METHOD: Final = re.compile(r"pm_[A-Za-z0-9_]{1,200}")
EXPIRING_WITHIN: Final = timedelta(days=60)


def attach(
    sessions: Sessions, actor: Actor, gateway: Gateway, customer_id: int, method_id: str, *, now: datetime
) -> int:
    """Put a card of the gateway's (``pm_…``) on file for the customer; returns its id here, the same for the same card.

    ``Declined`` where the bank or the gateway refuses it, Invalid where it is no payment method.
    """
    actor.require(Permission.PAYMENT_WRITE)
    if not _METHOD.fullmatch(method_id):
        reason = "is not the id of a payment method, such as pm_1234567890"
        raise Invalid("This is no payment method", fields={"payment_method_id": reason})
    with sessions() as session:
        customer = gateway_customer(session, actor, customer_id, gateway.mode)
    attached = gateway.attach(customer, method_id, key=f"attach_{secrets.token_hex(12)}")
    with sessions.begin() as session:
        return record(session, actor, customer_id, attached, mode=gateway.mode, now=now)


def gateway_customer(session: Session, actor: Actor, customer_id: int, mode: Mode) -> GatewayCustomer:
    """The customer as the gateway is to know them; as it knows them already, where a card was kept there before."""
    actor.require(Permission.PAYMENT_WRITE)
    customer = customers.one(session, actor, customer_id)
    known = select(PaymentMethodOnFile.gateway_customer_id).where(
        PaymentMethodOnFile.customer_id == customer_id, PaymentMethodOnFile.mode == mode
    )
    gateway_id = session.scalar(known.order_by(PaymentMethodOnFile.id.desc()).limit(1))
    return GatewayCustomer(customer.public_id, customer.name, customer.email, gateway_id)


def record(
    session: Session, actor: Actor, customer_id: int, attached: AttachedMethod, *, mode: Mode, now: datetime
) -> int:
    """Record a card that the gateway keeps. Conflict where it is another customer's."""
    actor.require(Permission.PAYMENT_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    same = select(PaymentMethodOnFile).where(
        PaymentMethodOnFile.mode == mode,
        PaymentMethodOnFile.gateway_id == attached.gateway_id,
        PaymentMethodOnFile.detached_at.is_(None),
    )
    if (known := session.scalars(same).one_or_none()) is not None:
        if known.customer_id != customer_id:
            raise Conflict("This card is on file for another customer")
        return known.id
    method = PaymentMethodOnFile(
        customer_id=customer_id,
        mode=mode,
        gateway_customer_id=attached.gateway_customer_id,
        gateway_id=attached.gateway_id,
        brand=attached.brand[:40],
        last4=attached.last4[-4:],
        exp_month=attached.exp_month,
        exp_year=attached.exp_year,
        expires_on=last_of_month(date(attached.exp_year, attached.exp_month, 1)),
        attached_at=now,
        attached_by_id=actor.user_id,
        attached_by=actor.name,
    )
    session.add(method)
    session.flush()
    after = {"customer_id": customer_id, "mode": mode.value, "card": card_of(method), "expires_on": method.expires_on}
    audit.record(
        session,
        actor,
        "payment_method.attach",
        ("payment_method", method.id),
        label=f"{customer.name}, {card_of(method)}",
        after=after,
        now=now,
    )
    return method.id


def detach(session: Session, actor: Actor, method_id: int, *, now: datetime) -> None:
    """Take the card off file: it is charged no more, and the gateway forgets it. Conflict while it is being charged."""
    actor.require(Permission.PAYMENT_WRITE)
    method = for_change(session, actor, method_id)
    if method.detached_at is not None:
        raise Conflict("This card was taken off file already")
    running = select(ChargeAttempt.id).where(
        ChargeAttempt.method_id == method_id, ChargeAttempt.state == AttemptState.STARTED
    )
    if session.scalar(running.limit(1)) is not None:
        raise Conflict("This card is being charged: take it off file once the outcome is known")
    method.detached_at, method.detached_by = now, actor.name
    session.flush()
    message = Message(
        channel=GATEWAY,
        topic=DETACH,
        key=f"{DETACH}:{method.public_id}",
        recipient=method.mode.value,
        title=f"Forget the card {card_of(method)}",
        subject=("customer", method.customer_id),
        content={"method_id": method.id},
        customer_id=method.customer_id,
    )
    outbox.put(session, actor, message, now=now)
    audit.record(
        session,
        actor,
        "payment_method.detach",
        ("payment_method", method.id),
        label=card_of(method),
        after={"customer_id": method.customer_id},
        now=now,
    )


def for_change(session: Session, actor: Actor, method_id: int) -> PaymentMethodOnFile:
    """The card, with its customer locked until the transaction ends, as by everybody who changes or charges one.

    NotFound where there is none or this actor may not see it.
    """
    actor.require(Permission.PAYMENT_WRITE)
    visible = (PaymentMethodOnFile.id == method_id, visible_to(actor, PaymentMethodOnFile.customer_id))
    customer_id = session.scalar(select(PaymentMethodOnFile.customer_id).where(*visible))
    if customer_id is None:
        raise NotFound(f"There is no payment method {method_id}")
    customers.for_change(session, actor, customer_id)
    return session.get_one(PaymentMethodOnFile, method_id, populate_existing=True)


def of_customer(session: Session, actor: Actor, customer_id: int, *, limit: int = 50) -> list[CardRow]:
    """The customer's cards on file, newest first."""
    actor.require(Permission.PAYMENT_READ)
    statement = _on_file(actor).where(PaymentMethodOnFile.customer_id == customer_id)
    rows = session.execute(statement.order_by(PaymentMethodOnFile.id.desc()).limit(limit))
    return [CardRow(*row) for row in rows]


def expiring(session: Session, actor: Actor, *, today: date, limit: int = 50, offset: int = 0) -> list[CardRow]:
    """The cards on file whose last day comes within 60 days, the soonest first."""
    actor.require(Permission.PAYMENT_READ)
    soon = PaymentMethodOnFile.expires_on.between(today, today + EXPIRING_WITHIN)
    soonest = (PaymentMethodOnFile.expires_on, PaymentMethodOnFile.id)
    statement = _on_file(actor).where(soon).order_by(*soonest).limit(limit).offset(offset)
    return [CardRow(*row) for row in session.execute(statement)]


def card_on_file(session: Session, method_id: int) -> str:
    return card_of(session.get_one(PaymentMethodOnFile, method_id))


def card_of(card: PaymentMethodOnFile | CardRow) -> str:
    """What people call it, such as ``Visa •••• 4242``."""
    return f"{card.brand.replace('_', ' ').capitalize()} •••• {card.last4}"


def _on_file(actor: Actor) -> Select[*tuple[Any, ...]]:
    return (
        select(*_COLUMNS)
        .join(Customer, Customer.id == PaymentMethodOnFile.customer_id)
        .where(PaymentMethodOnFile.detached_at.is_(None), visible_to(actor, PaymentMethodOnFile.customer_id))
    )
