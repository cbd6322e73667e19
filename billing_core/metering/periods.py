"""Billed periods of customers' usage: which stand, and which are billed anew because their invoice was cancelled."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Select,
    String,
    Table,
    and_,
    column,
    exists,
    or_,
    select,
    table,
    true,
    update,
)
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.metering.models import LateItem, LateKind, UsageEvent, UsageEventKey, UsagePeriod

# By their columns' names: invoices, and lines of bills, stand below this room.
_INVOICES: Final = table(
    "invoices",
    column("id", Integer),
    column("state", String),
    column("written_off_minor", BigInteger),
    column("credited_minor", BigInteger),
    column("total_minor", BigInteger),
)
_LINES: Final = table(
    "usage_lines",
    column("period_id", Integer),
    column("meter_id", Integer),
    column("bucket_id", Integer),
    column("first_day", Date),
    column("last_day", Date),
    column("settlement_id", Integer),
)


def is_gone(invoice: Any = _INVOICES.c) -> ColumnElement[bool]:
    """In SQL: the invoice was cancelled or discarded, and bills nothing any more. One that was written off was owed,
    and one that credit notes took back whole was corrected: what they billed is billed. Of one over nothing there is
    nothing to credit.
    """
    corrected = and_(invoice.total_minor > 0, invoice.credited_minor >= invoice.total_minor)
    return and_(invoice.state == "cancelled", invoice.written_off_minor == 0, ~corrected)


def standing() -> Select[*tuple[Any, ...]]:
    """Selects customer_id, first_day and last_day of the periods that stand, and whose invoices do."""
    gone = select(_INVOICES.c.id).where(_INVOICES.c.id == UsagePeriod.invoice_id, is_gone())
    return select(UsagePeriod.customer_id, UsagePeriod.first_day, UsagePeriod.last_day).where(
        UsagePeriod.replaced_at.is_(None), ~gone.exists()
    )


def billed_on(session: Session, customer_id: int, first_day: date, last_day: date | None) -> Period | None:
    """The first billed period of the customer that shares one of these days (None: without end)."""
    statement = standing().where(
        UsagePeriod.customer_id == customer_id,
        UsagePeriod.last_day >= first_day,
        true() if last_day is None else UsagePeriod.first_day <= last_day,
    )
    found = session.execute(statement.order_by(UsagePeriod.first_day).limit(1)).one_or_none()
    return None if found is None else Period(found.first_day, found.last_day)


def overlapping(session: Session, customer_ids: Collection[int], period: Period) -> list[UsagePeriod]:
    """The standing ones of these customers that share a day with this period, by customer and day."""
    statement = select(UsagePeriod).where(
        among(UsagePeriod.customer_id, customer_ids),
        UsagePeriod.replaced_at.is_(None),
        period.overlaps(UsagePeriod.first_day, UsagePeriod.last_day),
    )
    return list(session.scalars(statement.order_by(UsagePeriod.customer_id, UsagePeriod.first_day)))


def bucket_changes_of(session: Session, customer_ids: Collection[int], day: date) -> dict[int, int | None]:
    """The ``bucket_change_id`` of the bill of this day, of those of these customers who have one."""
    statement = select(UsagePeriod.customer_id, UsagePeriod.bucket_change_id).where(
        among(UsagePeriod.customer_id, customer_ids),
        UsagePeriod.replaced_at.is_(None),
        UsagePeriod.first_day <= day,
        UsagePeriod.last_day >= day,
    )
    return dict(session.execute(statement).all())


def all_bucket_changes_of(session: Session, customer_ids: Collection[int]) -> set[int | None]:
    """The same of all their bills."""
    theirs = (among(UsagePeriod.customer_id, customer_ids), UsagePeriod.replaced_at.is_(None))
    return set(session.scalars(select(UsagePeriod.bucket_change_id).where(*theirs).distinct()))


def covers(dated: FromClause) -> ColumnElement[bool]:
    """In SQL, beside ``UsagePeriod``: the row's ``day`` of its customer lies in this period, which stands."""
    return (
        (UsagePeriod.customer_id == dated.c.customer_id)
        & dated.c.day.between(UsagePeriod.first_day, UsagePeriod.last_day)
        & UsagePeriod.replaced_at.is_(None)
    )


def is_billed(dated: FromClause) -> ColumnElement[bool]:
    """In SQL: the period in which the row's ``day`` of the billing zone lies was billed."""
    return exists().where(covers(dated))


def has_line(dated: FromClause, bucket_id: int) -> ColumnElement[bool]:
    """In SQL: the bill of the row's ``day`` has a line of its meter for this bucket, which says what it costs there."""
    line = _LINES.c
    return exists().where(
        covers(dated),
        line.period_id == UsagePeriod.id,
        line.meter_id == dated.c.meter_id,
        line.bucket_id == bucket_id,
        dated.c.day.between(line.first_day, line.last_day),
        line.settlement_id.is_(None),
    )


def was_counted(in_periods: ColumnElement[bool]) -> ColumnElement[bool]:
    """In SQL, beside ``UsageEvent``: it counted when the period was billed, whose late items are ``in_periods``. It had
    come by then, and nobody had withdrawn it.
    """
    item = (LateItem.customer_id == UsageEvent.customer_id, LateItem.event_id == UsageEvent.event_id, in_periods)
    came_late, taken_back = (
        exists().where(*item, LateItem.kind == kind).correlate(UsageEvent)
        for kind in (LateKind.ARRIVED, LateKind.WITHDRAWN)
    )
    withdrawn = exists().where(
        UsageEventKey.customer_id == UsageEvent.customer_id,
        UsageEventKey.event_id == UsageEvent.event_id,
        UsageEventKey.withdrawn_at.is_not(None),
    )
    return ~came_late & or_(~withdrawn.correlate(UsageEvent), taken_back)


def replace(session: Session, replaced: Sequence[UsagePeriod], *, now: datetime) -> None:
    """They stand no longer, and what came late for them alone is no longer late. The customers are locked."""
    for period in replaced:
        period.replaced_at = now
    session.flush()
    forget_late(session, {period.customer_id for period in replaced})


def forget_late(session: Session, customer_ids: Collection[int]) -> None:
    """Events of these customers that changed no period which stands are not late."""
    events = cast("Table", UsageEvent.__table__)
    item = (
        select(LateItem.id)
        .join(UsagePeriod, UsagePeriod.id == LateItem.period_id)
        .where(
            LateItem.customer_id == events.c.customer_id,
            LateItem.event_id == events.c.event_id,
            LateItem.kind == LateKind.ARRIVED,
            UsagePeriod.replaced_at.is_(None),
        )
    )
    theirs = among(events.c.customer_id, customer_ids)
    session.execute(update(events).where(theirs, events.c.late, ~item.exists()).values(late=False))
