"""Cards that customers have entered on the gateway's page, because we asked them to."""

from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import GATEWAY, Mode
from billing_core.online_payments.models import CardRequest
from billing_core.online_payments.webhooks.facts import CardEntered
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message

KEEP_CARD: Final = "keep_card"


def named(session: Session, request_id: str) -> CardRequest | None:
    return session.scalars(select(CardRequest).where(CardRequest.public_id == request_id)).one_or_none()


def have_kept(
    session: Session, actor: Actor, request: CardRequest, entered: CardEntered, *, mode: Mode, now: datetime
) -> None:
    """Have the gateway queried for the card and put it on file; once, however often the event comes."""
    actor.require(Permission.PAYMENT_WRITE)
    message = Message(
        channel=GATEWAY,
        topic=KEEP_CARD,
        key=f"{KEEP_CARD}:{request.public_id}:{entered.method_id}"[:120],
        recipient=mode.value,
        title="Put the card that the customer has entered on file",
        subject=("customer", request.customer_id),
        content={
            "request_id": request.id,
            "method_id": entered.method_id,
            "gateway_customer_id": entered.customer_id,
        },
        customer_id=request.customer_id,
    )
    outbox.put(session, actor, message, now=now)
