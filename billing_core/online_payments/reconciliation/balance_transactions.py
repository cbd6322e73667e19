"""The gateway's own books, read and stored, so that comparing again needs no new request.

Reading them crosses the network and takes long: their lines are stored in short transactions between its calls.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.queries import default_business
from billing_core.database import Sessions
from billing_core.database.upserts import insert_into
from billing_core.dates import Period, start_of_day
from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import BalanceTransaction, Gateway
from billing_core.online_payments.models import GatewayLine, GatewayReading

# An entry that one side books a little later than the other is not a difference.
MARGIN: Final = timedelta(days=7)
_AT_ONCE: Final = 1_000


def read(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    period: Period,
    *,
    now: datetime,
    progress: Callable[[int], None] = lambda _lines: None,
) -> int:
    """Read the gateway's books of these days, and of the margin around them; returns the number of lines.

    ``progress`` is called after each batch with the number of lines so far, outside any transaction. Safe to repeat and
    to abort: lines have ids of their own.
    """
    require(actor)
    with sessions() as session:
        zone = default_business(session).time_zone
    mode = gateway.mode
    lines_read = 0
    lines = iter(gateway.balance_transactions(*instants(zone, period)))
    while batch := list(islice(lines, _AT_ONCE)):
        with sessions.begin() as session:
            keep(session, mode, batch)
        lines_read += len(batch)
        progress(lines_read)
    with sessions.begin() as session:
        facts = {"mode": mode, "first_on": period.start, "last_on": period.end, "lines": lines_read}
        session.add(GatewayReading(**facts, read_at=now, read_by=actor.name))
        audit.record(session, actor, "gateway.read", ("gateway", mode.value), label=str(period), after=facts, now=now)
    return lines_read


def keep(session: Session, mode: Mode, lines: Sequence[BalanceTransaction]) -> None:
    """Store lines of the gateway's books; lines that are already stored stay as they are."""
    rows = [
        {
            "mode": mode,
            "line_id": line.id,
            "type": line.type[:100],
            "source": line.source,
            "intent_id": line.intent_id,
            "currency": line.currency,
            "amount_minor": line.amount_minor,
            "fee_minor": line.fee_minor,
            "created_at": line.created_at,
            "description": line.description[:500],
        }
        for line in lines
    ]
    if rows:
        insertion = insert_into(session, GatewayLine).on_conflict_do_nothing(index_elements=["mode", "line_id"])
        session.execute(insertion, rows)


def last_reading(session: Session, actor: Actor, mode: Mode, period: Period) -> GatewayReading | None:
    """The last time that this whole period was read."""
    require(actor)
    return session.scalars(
        select(GatewayReading)
        .where(
            GatewayReading.mode == mode, GatewayReading.first_on <= period.start, GatewayReading.last_on >= period.end
        )
        .order_by(GatewayReading.id.desc())
        .limit(1)
    ).one_or_none()


def require(actor: Actor) -> None:
    """The gateway's books cover all customers: an actor bound to one lacks the permission to read webhooks."""
    actor.require(Permission.PAYMENT_READ)
    actor.require(Permission.WEBHOOK_READ)


def instants(zone: str, period: Period, margin: timedelta = MARGIN) -> tuple[datetime, datetime]:
    """From the period's first instant up to the first after it, with a margin at both ends."""
    return start_of_day(zone, period.start) - margin, start_of_day(zone, period.end + timedelta(days=1)) + margin
