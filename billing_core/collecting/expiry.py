"""Links whose time is over: nobody can pay by them any more, here and at the gateway."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, payment_links, queries
from billing_core.invoices.payment_links import LinkState, PaymentLink

EXPIRED: Final = "Its last day is over"
UNANSWERED: Final = "The gateway never answered"
# Nobody waits for so long: whoever asked for the link has asked again, or has given up.
PATIENCE: Final = timedelta(hours=1)


def end_due(session: Session, actor: Actor, *, now: datetime, limit: int = 50) -> int:
    """End the links that are over, and give up those whose issuing was never answered, at most ``limit``; how many."""
    actor.require(Permission.LINK_WRITE)
    due = select(PaymentLink.id, PaymentLink.invoice_id).where(_over(now)).order_by(PaymentLink.invoice_id).limit(limit)
    ended = 0
    # In the order of the invoices' ids, so that nobody waits in a circle.
    for link_id, invoice_id in session.execute(due).all():
        invoice = queries.for_change(session, actor, invoice_id)
        link = session.get_one(PaymentLink, link_id, populate_existing=True)
        if link.state is LinkState.ACTIVE:
            lifecycle.end_link(session, actor, invoice, state=LinkState.EXPIRED, because=EXPIRED, now=now)
            ended += 1
        elif link.state is LinkState.ISSUING:
            payment_links.abandon(session, actor, link, invoice, because=UNANSWERED, now=now)
            ended += 1
    return ended


def _over(now: datetime) -> ColumnElement[bool]:
    expired = and_(PaymentLink.state == LinkState.ACTIVE, PaymentLink.expires_at <= now)
    unanswered = and_(PaymentLink.state == LinkState.ISSUING, PaymentLink.created_at <= now - PATIENCE)
    return or_(expired, unanswered)
