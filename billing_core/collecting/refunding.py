"""Giving money back the way it came: write down what is asked, ask the gateway, record what it did.

The gateway's own event about it may come before our record or after it: both end in the same function, once.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.collecting.gateway import Declined, Gateway, GatewayRefund
from billing_core.collecting.models import RefundRequest, RefundRequestState
from billing_core.database import Sessions
from billing_core.dates import day_in
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.money import Money
from billing_core.payments import queries
from billing_core.payments.models import Payment, Refund
from billing_core.text import reason_of


@dataclass(frozen=True, slots=True)
class Refundable:
    """What of a payment can still go back through its gateway. ``problem``: why nothing can; empty where it can."""

    payment_id: int
    left: Money
    problem: str = ""


def refundable(session: Session, actor: Actor, payment_id: int) -> Refundable:
    """How much can be refunded of a payment; NotFound where there is none."""
    actor.require(Permission.PAYMENT_READ)
    raise NotImplementedError


def refund(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    payment_id: int,
    *,
    amount_minor: int,
    reason: str,
    now: datetime,
) -> int:
    """Refund a payment, or a part of it, through its gateway; the id of the request.

    ``Declined`` where the gateway said no. After any other ``UpstreamFailed`` it is unknown whether money went back:
    the same call again makes no second refund.
    """
    actor.require(Permission.PAYMENT_WRITE)
    raise NotImplementedError
