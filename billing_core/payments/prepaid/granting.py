"""Giving prepaid credit, selling it, and taking back what was given."""

from dataclasses import replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import service as invoices
from billing_core.invoices.content.content import DraftLine, blank_for
from billing_core.invoices.models import LineType
from billing_core.languages.formats import writing
from billing_core.money import LARGEST_MINOR, Money
from billing_core.payments.prepaid import bookkeeping
from billing_core.payments.prepaid.bookkeeping import Move
from billing_core.payments.prepaid.models import MovementKind, Origin, PrepaidGrant, PrepaidPurchase
from billing_core.text import reason_of

MOST_DAYS: Final = 3_660


def give(
    session: Session,
    actor: Actor,
    customer_id: int,
    *,
    amount_minor: int,
    expires_on: date | None,
    reason: str,
    today: date,
    now: datetime,
) -> PrepaidGrant:
    """Give a customer credit in its currency, usable until ``expires_on``, that day included; None: for ever."""
    actor.require(Permission.PAYMENT_WRITE)
    why = reason_of(reason)
    customer = customers.for_change(session, actor, customer_id)
    _check_amount(amount_minor)
    if expires_on is not None and expires_on < today:
        raise Invalid("The last day lies in the past", fields={"expires_on": "lies in the past"})
    grant = PrepaidGrant(
        business_id=customer.business_id,
        customer_id=customer_id,
        currency=customer.currency,
        origin=Origin.GIVEN,
        amount_minor=amount_minor,
        expires_on=expires_on,
        reason=why,
        created_at=now,
        created_by=actor.name,
    )
    bookkeeping.begin(session, actor, grant, on=today, now=now)
    after = {"amount_minor": amount_minor, "currency": grant.currency, "expires_on": expires_on, "reason": why}
    subject = ("customer", customer_id)
    audit.record(session, actor, "prepaid.give", subject, label=customer.name, after=after, now=now)
    return grant


def take_back(session: Session, actor: Actor, grant_id: int, *, reason: str, today: date, now: datetime) -> None:
    """Withdraw what is left of credit that was given. Conflict where nothing is, or where it was bought."""
    actor.require(Permission.PAYMENT_WRITE)
    why = reason_of(reason)
    customer_id = session.scalar(select(PrepaidGrant.customer_id).where(PrepaidGrant.id == grant_id))
    if customer_id is None:
        raise NotFound("There is no such credit")
    customer = customers.for_change(session, actor, customer_id)
    grant = session.get_one(PrepaidGrant, grant_id, with_for_update=True, populate_existing=True)
    if grant.origin is Origin.BOUGHT:
        raise Conflict("This credit was bought: refund its invoice, and it is withdrawn")
    if not grant.remaining_minor:
        raise Conflict("Nothing of this credit is left")
    taken = grant.remaining_minor
    move = Move(grant, -taken, today)
    bookkeeping.move(session, actor, MovementKind.WITHDRAWN, [move], memo=why, now=now)
    after = {"amount_minor": taken, "currency": grant.currency, "reason": why}
    subject = ("customer", customer_id)
    audit.record(session, actor, "prepaid.take_back", subject, label=customer.name, after=after, now=now)


def sell(
    session: Session,
    actor: Actor,
    customer_id: int,
    *,
    amount_minor: int,
    valid_days: int | None,
    today: date,
    now: datetime,
    automatic: bool = False,
) -> PrepaidPurchase:
    """Draft an invoice by which the customer buys credit. What it comes to before tax is credited once it is paid, and
    can be used for ``valid_days`` from that day on; None: for ever. ``automatic``: it tops up what is left.
    """
    actor.require(Permission.INVOICE_WRITE)
    actor.require(Permission.PAYMENT_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    _check_amount(amount_minor)
    check_days(valid_days)
    invoice_id = _draft(session, actor, customer, amount_minor, today, now)
    purchase = PrepaidPurchase(
        customer_id=customer_id,
        invoice_id=invoice_id,
        valid_days=valid_days,
        automatic=automatic,
        created_at=now,
        created_by=actor.name,
    )
    session.add(purchase)
    session.flush()
    after = {"amount_minor": amount_minor, "currency": customer.currency, "invoice_id": invoice_id}
    subject = ("customer", customer_id)
    audit.record(session, actor, "prepaid.sell", subject, label=customer.name, after=after, now=now)
    return purchase


def check_days(valid_days: int | None) -> None:
    """Invalid where credit cannot be used for so many days."""
    if valid_days is not None and not 0 < valid_days <= MOST_DAYS:
        reason = f"must be from 1 to {MOST_DAYS:,}"
        raise Invalid(f"The days {reason}", fields={"valid_days": reason})


def _draft(session: Session, actor: Actor, customer: Customer, amount_minor: int, today: date, now: datetime) -> int:
    """Without tax: that is due on the usage which the credit pays for."""
    words = writing(customer.locale)
    blank = blank_for(customer, businesses.one(session, customer.business_id), today)
    line = DraftLine.of_amount(
        words.gettext("Prepaid credit for usage"), Money(amount_minor, customer.currency), type=LineType.OTHER
    )
    untaxed = words.gettext("Taxed with the usage that the credit pays for")
    content = replace(blank, zero_tax_reason=untaxed, lines=(line,))
    return invoices.create(session, actor, content, now=now).id


def _check_amount(amount_minor: int) -> None:
    if not 0 < amount_minor <= LARGEST_MINOR:
        raise Invalid("Choose an amount of more than 0", fields={"amount": "must be more than 0, and not as large"})
