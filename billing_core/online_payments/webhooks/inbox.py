"""Gateway events: stored before they are answered, and applied afterwards, each in a transaction of its own.

An event is marked in the transaction that applies it, so that a killed process leaves it either untouched or done.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import structlog
from sqlalchemy import ColumnElement, Table, and_, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database import Sessions
from billing_core.database.upserts import inserts
from billing_core.dates import utc_now
from billing_core.errors import BillingError, Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import declines
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.online_payments.webhooks import events, handlers
from billing_core.online_payments.webhooks.deferred import PaymentUnknown
from billing_core.online_payments.webhooks.handlers import Outcome
from billing_core.outbox.delivery import WAITS
from billing_core.text import control_character

log = structlog.get_logger()

WAITING, HANDLED, IGNORED = WebhookState.WAITING, WebhookState.HANDLED, WebhookState.IGNORED
FAILED = WebhookState.FAILED
# The payment's own event usually follows within the same minute; otherwise the charge is not ours.
UNKNOWN_WAITS: Final = (timedelta(seconds=15), timedelta(minutes=1), *WAITS[1:4])
_EVENTS = cast("Table", WebhookEvent.__table__)
# Built once: building a statement takes as long as running it.
_INSERT = {
    name: new.on_conflict_do_nothing(index_elements=["event_id"]).returning(_EVENTS.c.id)
    for name, new in inserts(_EVENTS).items()
}
LARGEST_BYTES: Final = 1_000_000


def store(session: Session, event: Mapping[str, Any], payload: bytes, *, now: datetime) -> bool:
    """Store an event whose signature was checked; False where it is known. Invalid ("malformed") for a broken one."""
    return store_rows(session, [row_of(event, payload, now)]) > 0


def store_rows(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Store the rows that ``row_of`` made; returns how many were new."""
    statement, connection = _INSERT[session.get_bind().dialect.name], session.connection()
    return sum(connection.execute(statement, row).scalar() is not None for row in rows)


def row_of(event: Mapping[str, Any], payload: bytes, now: datetime) -> dict[str, Any]:
    """An event as it is stored. Invalid ("malformed") for a broken one."""
    live, version = event.get("livemode"), event.get("api_version")
    names = [event.get("id"), event.get("type"), "" if version is None else version]
    written = all(isinstance(name, str) and not control_character(name) for name in names)
    if not (written and isinstance(live, bool) and 0 < len(event["id"]) <= 255):
        raise Invalid("malformed")
    try:
        created_at, text_of = events.created_at(event), payload.decode()
    except (Invalid, UnicodeDecodeError) as error:
        raise Invalid("malformed") from error
    return {
        "event_id": event["id"],
        "type": event["type"][:100],
        "livemode": live,
        "api_version": (version or "")[:40],
        "created_at": created_at,
        "received_at": now,
        "payload": text_of,
        "state": WAITING,
        "attempts": 0,
        "not_before": now,
        "last_error": "",
        "outcome": "",
    }


def something_due(session: Session, *, now: datetime) -> bool:
    """Whether an event is due. Polled often, so it takes no lock."""
    return session.scalar(select(WebhookEvent.id).where(_due(now)).limit(1)) is not None


def apply_due(
    sessions: Sessions,
    mode: Mode,
    *,
    now_of: Callable[[], datetime] = utc_now,
    limit: int = 100,
    ending: Callable[[], bool] = lambda: False,
) -> int:
    """Apply due events, at most ``limit``; returns how many. Any number of processes may do so at once."""
    for done in range(limit):
        if ending() or not _apply_next(sessions, mode, now_of()):
            return done
    return limit


def _apply_next(sessions: Sessions, mode: Mode, now: datetime) -> bool:
    """Lock the event that is due the longest, apply it and mark it, all or nothing."""
    with sessions.begin() as session:
        first = select(WebhookEvent).where(_due(now)).order_by(WebhookEvent.not_before, WebhookEvent.id).limit(1)
        event = session.scalars(first.with_for_update(skip_locked=True)).one_or_none()
        if event is None:
            return False
        event.attempts += 1
        try:
            # A failure leaves only the mark, and nobody else can take the event in between.
            with session.begin_nested():
                outcome = handlers.apply(session, events.parsed(event.payload), mode=mode, now=now)
        except OperationalError:
            # The database is at fault, not the event: this try does not count.
            raise
        except PaymentUnknown as unknown:
            event.waits_for = unknown.charge_id
            _postpone(event, str(unknown), UNKNOWN_WAITS, now, at_last=IGNORED)
        except BillingError as error:
            _postpone(event, str(error), WAITS, now, at_last=FAILED)
        except Exception:  # the edge of the job: a bug with one event must not keep the others
            reference = secrets.token_hex(4)
            log.exception("webhook_failed", event_id=event.event_id, type=event.type, reference=reference)
            reason = f"Something went wrong on our side. Reference {reference}"
            _postpone(event, reason, WAITS, now, at_last=FAILED)
        else:
            _mark(event, outcome, now)
    return True


def _mark(event: WebhookEvent, outcome: Outcome, now: datetime) -> None:
    event.state, event.waits_for = HANDLED if outcome.used else IGNORED, None
    event.outcome, event.last_error = declines.one_line(outcome.said)[:200], ""
    event.invoice_id, event.handled_at = outcome.invoice_id, now


def _postpone(
    event: WebhookEvent, reason: str, waits: tuple[timedelta, ...], now: datetime, *, at_last: WebhookState
) -> None:
    # It may repeat what the event says: characters that no column holds would keep all events waiting.
    event.last_error = declines.one_line(reason)[:500]
    if event.attempts <= len(waits):
        event.not_before = now + waits[event.attempts - 1]
        return
    event.state, event.handled_at = at_last, now
    if at_last is IGNORED:
        event.outcome, event.last_error = f"Not ours: {reason[0].lower()}{reason[1:]}"[:200], ""


def process_again(session: Session, actor: Actor, event_id: int, *, now: datetime) -> None:
    """Retry an event that failed, was ignored, or waits for its next try, with its tries reset."""
    actor.require(Permission.PAYMENT_WRITE)
    statement = select(WebhookEvent).where(WebhookEvent.id == event_id).with_for_update()
    event = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if event is None:
        raise NotFound("There is no such event")
    if event.state is HANDLED:
        raise Conflict("This event was handled")
    before = event.state.value
    event.state, event.attempts, event.not_before = WAITING, 0, now
    event.handled_at, event.outcome = None, ""
    session.flush()
    audit.record(
        session,
        actor,
        "webhook.process_again",
        ("webhook_event", event.id),
        label=f"{event.type} {event.event_id}",
        before={"state": before},
        after={"state": event.state.value},
        now=now,
    )


def process_failed_again(session: Session, actor: Actor, *, limit: int, now: datetime) -> int:
    """Retry the events that failed, the longest known first, with their tries reset; returns how many."""
    actor.require(Permission.PAYMENT_WRITE)
    eldest = select(WebhookEvent.id).where(WebhookEvent.state == FAILED).order_by(WebhookEvent.id).limit(limit)
    again = (
        update(WebhookEvent)
        .where(WebhookEvent.id.in_(eldest), WebhookEvent.state == FAILED)
        .values(state=WAITING, attempts=0, not_before=now, handled_at=None, outcome="")
        .returning(WebhookEvent.id, WebhookEvent.type, WebhookEvent.event_id)
        .execution_options(synchronize_session=False)
    )
    traces = [
        audit.Trace(
            ("webhook_event", row.id),
            f"{row.type} {row.event_id}",
            before={"state": FAILED.value},
            after={"state": WAITING.value},
        )
        for row in session.execute(again)
    ]
    audit.record_many(session, actor, "webhook.process_again", traces, now=now)
    return len(traces)


def _due(now: datetime) -> ColumnElement[bool]:
    # Written out, so that both databases can match the index of waiting events.
    return and_(text("webhook_events.state = 'waiting'"), WebhookEvent.not_before <= now)
