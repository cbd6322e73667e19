"""Sending drafts, with what is paid in the same moment: usage by prepaid credit."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.invoices import custom_number, service
from billing_core.invoices.models import Invoice
from billing_core.payments.prepaid import using


def give_number(session: Session, actor: Actor, invoice_id: int, number: str, *, now: datetime) -> None:
    """``custom_number.give`` to a draft that is about to be sent."""
    actor.require(Permission.INVOICE_SEND)
    using.lock_owners(session, [invoice_id])
    custom_number.give(session, actor, invoice_id, number, now=now)


def send(session: Session, actor: Actor, invoice_id: int, *, now: datetime) -> Invoice:
    """``send_many`` of one."""
    return send_many(session, actor, [invoice_id], now=now)[0]


def send_many(session: Session, actor: Actor, invoice_ids: Sequence[int], *, now: datetime) -> list[Invoice]:
    """Send these drafts, all or none, numbered in the order given; prepaid credit pays those that bill usage.

    Whoever locks the invoices before has called ``using.lock_owners``.
    """
    actor.require(Permission.INVOICE_SEND)
    have_credit = using.lock_owners(session, invoice_ids)
    sent = service.send_many(session, actor, invoice_ids, now=now)
    if have_credit:
        using.use(session, actor, sent, now=now)
    return sent
