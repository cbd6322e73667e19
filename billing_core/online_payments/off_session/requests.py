"""Asking a customer to put a card on file: an address of our own, which leads to the gateway's page for it."""

import enum
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database import Sessions
from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM, Actor, Permission
from billing_core.online_payments.gateway import Gateway
from billing_core.online_payments.models import CardRequest
from billing_core.online_payments.off_session import methods
from billing_core.online_payments.sandbox import events

VALID_FOR: Final = timedelta(days=30)


class Step(enum.StrEnum):
    """What the holder of the address can do there. ANSWERED: a card is on file by it."""

    OPEN = "open"
    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the holder of the address sees. ``card``: what is on file by it, such as ``Visa •••• 4242``."""

    request_id: int
    step: Step
    card: str
    customer_id: int
    customer: str
    issuer: str
    language: str


def ask(session: Session, actor: Actor, customer_id: int, *, now: datetime) -> CardRequest:
    """Ask the customer for a card; the address is good for 30 days, and for one card."""
    actor.require(Permission.PAYMENT_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    request = CardRequest(
        customer_id=customer_id,
        expires_at=now + VALID_FOR,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    session.add(request)
    session.flush()
    subject, after = ("customer", customer_id), {"request": request.public_id, "expires_at": request.expires_at}
    audit.record(session, actor, "payment_method.ask", subject, label=customer.name, after=after, now=now)
    return request


def open_for(session: Session, actor: Actor, customer_id: int, *, now: datetime) -> CardRequest | None:
    """The newest request to this customer that can still be answered, for who may ask: its token is a secret."""
    actor.require(Permission.PAYMENT_WRITE)
    statement = select(CardRequest).where(
        CardRequest.customer_id == customer_id,
        CardRequest.method_id.is_(None),
        CardRequest.expires_at > now,
        visible_to(actor, CardRequest.customer_id),
    )
    return session.scalars(statement.order_by(CardRequest.id.desc()).limit(1)).one_or_none()


def ask_again(session: Session, actor: Actor, customer_id: int, *, now: datetime) -> CardRequest:
    """Ask the customer for a card by the address that they have already, while it is good for anything, and then for
    another 30 days, so that all mails lead to the same; by a new one where there is none.
    """
    actor.require(Permission.PAYMENT_WRITE)
    customers.for_change(session, actor, customer_id)
    known = open_for(session, actor, customer_id, now=now)
    if known is None:
        return ask(session, actor, customer_id, now=now)
    known.expires_at = max(known.expires_at, now + VALID_FOR)
    session.flush()
    return known


def address_of(token: str, address: str) -> str:
    """Where the customer enters a card; ``address`` is the product's."""
    return f"{address}/card/{token}"


def by_token(session: Session, token: str, *, now: datetime) -> Asked:
    """What an address asks for; NotFound where there is none."""
    statement = select(CardRequest, Customer).join(Customer, Customer.id == CardRequest.customer_id)
    row = session.execute(statement.where(CardRequest.token == token.replace("\0", ""))).one_or_none()
    if row is None:
        raise NotFound("No card is asked for at this address")
    request, customer = row
    card = methods.card_on_file(session, request.method_id) if request.method_id is not None else ""
    step = Step.ANSWERED if card else Step.OPEN if request.expires_at > now else Step.ENDED
    issuer = businesses.one(session, customer.business_id).name
    return Asked(request.id, step, card, customer.id, customer.name, issuer, customer.locale)


def start(sessions: Sessions, gateway: Gateway, token: str, *, address: str, now: datetime) -> str:
    """The gateway's address for entering the card, for whoever has the token. Conflict where none is asked for now."""
    with sessions() as session:
        asked = by_token(session, token, now=now)
        if asked.step is not Step.OPEN:
            raise Conflict("No card is asked for at this address any more")
        customer = methods.gateway_customer(session, SYSTEM, asked.customer_id, gateway.mode)
        key = session.get_one(CardRequest, asked.request_id).public_id
    return gateway.set_up(customer, f"{address_of(token, address)}/done", key=key)


def enter(session: Session, actor: Actor, request_id: int, method_id: str, *, now: datetime) -> None:
    """The customer has entered a test card on the sandbox's page. ``actor`` is whoever has the token."""
    request = session.get_one(CardRequest, request_id, with_for_update=True)
    if request.method_id is not None or request.expires_at <= now:
        raise Conflict("No card is asked for at this address any more")
    events.tell_card(session, actor, request, method_id, now=now)


def keep(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    request_id: int,
    method_id: str,
    *,
    gateway_customer_id: str | None,
    now: datetime,
) -> int:
    """Put the card that the customer has entered on file, and note it as the answer; repeating it has no effect."""
    actor.require(Permission.PAYMENT_WRITE)
    with sessions() as session:
        request = session.get_one(CardRequest, request_id)
        customer = methods.gateway_customer(session, actor, request.customer_id, gateway.mode)
        key = request.public_id
    known = replace(customer, gateway_id=gateway_customer_id or customer.gateway_id)
    attached = gateway.attach(known, method_id, key=f"keep_{key}_{method_id}")
    with sessions.begin() as session:
        # It was the customer who entered it.
        whose = replace(actor, name=customer.name or actor.name)
        kept = methods.record(session, whose, request.customer_id, attached, mode=gateway.mode, now=now)
        request = session.get_one(CardRequest, request_id, with_for_update=True)
        if request.method_id is None:
            request.method_id, request.answered_at = kept, now
    return kept
