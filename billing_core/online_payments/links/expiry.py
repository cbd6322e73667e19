"""Links that have expired or were made in a test mode: nobody can pay by them any more."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, payment_links, queries
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink

EXPIRED: Final = "Its last day is over"
UNANSWERED: Final = "The gateway never answered"
# The test modes that precede each mode. A link for real money stays: it can still be paid.
TRIALS: Final = {Mode.SANDBOX: (), Mode.TEST: (Mode.SANDBOX,), Mode.LIVE: (Mode.SANDBOX, Mode.TEST)}
# Tried again every hour while the gateway makes none; afterwards it is left to people.
RENEWED_WITHIN: Final = timedelta(days=1)
# Nobody waits this long: the user has tried again or given up.
UNANSWERED_AFTER: Final = timedelta(hours=1)


def end_due(session: Session, actor: Actor, *, mode: Mode, now: datetime, limit: int = 50) -> int:
    """End expired links and those of a test mode that ``mode`` replaced, and abandon unanswered creations.

    At most ``limit``; returns how many.
    """
    actor.require(Permission.LINK_WRITE)
    due = (
        select(PaymentLink.id, PaymentLink.invoice_id)
        .where(_over(mode, now))
        .order_by(PaymentLink.invoice_id)
        .limit(limit)
    )
    ended = 0
    # In the order of the invoices' ids, to avoid a deadlock.
    for link_id, invoice_id in session.execute(due).all():
        invoice = queries.for_change(session, actor, invoice_id)
        link = session.get_one(PaymentLink, link_id, populate_existing=True)
        if link.state is LinkState.ACTIVE:
            state, because, tell_gateway = LinkState.EXPIRED, EXPIRED, True
            if link.mode in TRIALS[mode]:
                state = LinkState.DEACTIVATED
                because = f"It was created in {link.mode} mode, and the product collects in {mode} mode now"
                # Stripe's test mode takes no money, and a live key cannot reach it: nothing to deactivate.
                tell_gateway = link.mode is Mode.SANDBOX
            lifecycle.end_link(
                session, actor, invoice, state=state, because=because, now=now, tell_gateway=tell_gateway
            )
            ended += 1
        elif link.state is LinkState.CREATING:
            payment_links.abandon(session, actor, link, invoice, because=UNANSWERED, now=now)
            ended += 1
    return ended


def to_renew(session: Session, *, now: datetime, limit: int = 50) -> list[int]:
    """Invoices whose link asked for less, and has ended lately with the discount for paying early: they need one for
    what is due.
    """
    other = aliased(PaymentLink)
    later = exists().where(other.invoice_id == PaymentLink.invoice_id, other.id > PaymentLink.id)
    statement = (
        select(PaymentLink.invoice_id)
        .join(Invoice, Invoice.id == PaymentLink.invoice_id)
        .where(
            PaymentLink.state == LinkState.EXPIRED,
            PaymentLink.expires_at > now - RENEWED_WITHIN,
            PaymentLink.amount_minor < Invoice.due_minor,
            Invoice.state == InvoiceState.OPEN,
            ~later,
        )
        .order_by(PaymentLink.invoice_id)
        .limit(limit)
    )
    return list(session.scalars(statement))


def _over(mode: Mode, now: datetime) -> ColumnElement[bool]:
    ended = or_(PaymentLink.expires_at <= now, PaymentLink.mode.in_(TRIALS[mode]))
    expired = and_(PaymentLink.state == LinkState.ACTIVE, ended)
    unanswered = and_(PaymentLink.state == LinkState.CREATING, PaymentLink.created_at <= now - UNANSWERED_AFTER)
    return or_(expired, unanswered)
