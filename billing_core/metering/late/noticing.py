"""Writing down what events change in billed periods, by the transaction in which they come or go."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, cast

from sqlalchemy import Date, FromClause, Table, bindparam, insert, literal, select, update
from sqlalchemy.orm import Session

from billing_core.database.types import UtcDateTime
from billing_core.metering import periods
from billing_core.metering.late import following
from billing_core.metering.late.following import Followed
from billing_core.metering.models import BY_DAYS, LateItem, LateKind, Meter, UsageEvent, UsagePeriod

_ITEMS: Final = cast("Table", LateItem.__table__)
_EVENTS: Final = cast("Table", UsageEvent.__table__)
_NAMES: Final = ("customer_id", "occurred_at", "event_id")
_BECOME_LATE: Final = (
    update(_EVENTS).where(*(_EVENTS.c[name] == bindparam(f"of_{name}") for name in _NAMES)).values(late=True)
)
_FACTS: Final = ("period_id", *_NAMES, "day", "meter_id", "bucket_id", "user")
_SIGNS: Final = {LateKind.ARRIVED: 1, LateKind.WITHDRAWN: -1}


def note_arrived(session: Session, rows: FromClause, *, now: datetime) -> int:
    """Items of what these events change in billed periods other than by their days' totals; they are written already,
    and ``rows`` has their ``day`` of the billing zone. How many are late by that alone: for days that nobody billed.
    """
    followed = following.changes_of(session, rows)
    _insert(session, followed, LateKind.ARRIVED, now)
    own = {_key(one) for one in followed if not one.carried}
    if carried := {_key(one) for one in followed} - own:
        named = [{f"of_{name}": value for name, value in zip(_NAMES, key, strict=True)} for key in sorted(carried)]
        session.connection().execute(_BECOME_LATE, named)
    return len(carried)


def note_arrived_by_days(session: Session, rows: FromClause, *, now: datetime) -> None:
    """Items of those of these events that came for billed days, of meters that are billed by their days' totals; in the
    order of customers, times and ids.
    """
    _note_by_days(session, rows, now, LateKind.ARRIVED)


def note_withdrawn(session: Session, event: UsageEvent, day: date, *, now: datetime) -> None:
    """Items of what the withdrawal of this event changes, which counts so far; ``day`` is that of the billing zone. The
    customer is locked.
    """
    key = (_EVENTS.c.customer_id == event.customer_id, _EVENTS.c.occurred_at == event.occurred_at)
    rows = select(_EVENTS, literal(day, Date).label("day")).where(*key, _EVENTS.c.event_id == event.event_id)
    if event.raw:
        # To go is to come last, the other way round.
        _insert(session, following.changes_of(session, rows.subquery("withdrawn")), LateKind.WITHDRAWN, now)
    else:
        _note_by_days(session, rows.subquery("withdrawn"), now, LateKind.WITHDRAWN)


def _note_by_days(session: Session, rows: FromClause, now: datetime, kind: LateKind) -> None:
    sign = _SIGNS[kind]
    same = ("customer_id", "event_id", "occurred_at", "day", "meter_id", "bucket_id", "user")
    items = (
        select(
            UsagePeriod.id,
            literal(kind.value),
            literal(sign),
            literal(now, UtcDateTime),
            # Not multiplied: a number beside a quantity would be scaled as one.
            rows.c.quantity if sign > 0 else -rows.c.quantity,
            *(rows.c[name] for name in same),
        )
        .join(rows, periods.covers(rows))
        .where(rows.c.meter_id.in_(select(Meter.id).where(Meter.aggregation.in_(BY_DAYS))))
        .order_by(rows.c.customer_id, rows.c.occurred_at, rows.c.event_id)
    )
    names = ["period_id", "kind", "calls", "noticed_at", "quantity", *same]
    session.execute(insert(_ITEMS).from_select(names, items))


def _insert(session: Session, followed: Sequence[Followed], kind: LateKind, now: datetime) -> None:
    sign = _SIGNS[kind]
    items: list[dict[str, Any]] = [
        {name: getattr(one, name) for name in _FACTS}
        | {"quantity": sign * one.quantity, "kind": kind, "calls": sign, "noticed_at": now}
        for one in followed
    ]
    if items:
        session.execute(insert(_ITEMS), items)


def _key(one: Followed) -> tuple[int, datetime, str]:
    return one.customer_id, one.occurred_at, one.event_id
