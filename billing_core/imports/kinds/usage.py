"""Usage events from a file, by the rules of those that programs send: each counts once, and nothing changes one."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    String,
    Text,
    false,
    func,
    literal,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.partitions import ensure_months
from billing_core.database.types import UtcDateTime, stored_on_sqlite
from billing_core.errors import Conflict
from billing_core.imports import Kind, cells, columns
from billing_core.imports.kind import Definition, DerivedTogether, Field, Resolved, Staged, unknown, wrong
from billing_core.metering import digests, keeping, rollups
from billing_core.metering.models import API_CALLS, NO_BUCKET, PLACES, Exact, Meter, UsageEvent, UsageEventKey
from billing_core.metering.reading import (
    FURTHEST_AHEAD,
    NO_PROPERTIES,
    UNADDRESSABLE,
    UNADDRESSABLE_REASON,
    digests_of_written,
    plain,
)
from billing_core.metering.zones import utc_day_of

_CONTENT: Final = ("event_id", "time", "meter", "user", "endpoint", "response_time", "quantity")
_KNOWN = select(
    UsageEventKey.customer_id.label("id"), UsageEventKey.customer_id, UsageEventKey.event_id, UsageEventKey.digest
).subquery("known_events")


class _instant(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The instant of a text in the form of ``cells.instant``."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(_instant, "sqlite")
def _instant_on_sqlite(element: _instant, compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(_instant, "postgresql")
def _instant_on_postgresql(element: _instant, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} || '+00' AS timestamptz)"


def _digests(
    event_ids: Sequence[str],
    times: Sequence[str],
    meters: Sequence[str],
    users: Sequence[str],
    endpoints: Sequence[str],
    response_times: Sequence[int | None],
    quantities: Sequence[int],
) -> Sequence[Sequence[Any]]:
    """Each event's digest and its halves, of staged values, in which numbers are scaled."""
    written = digests_of_written(
        event_ids,
        _in_iso_form(times),
        meters,
        users,
        endpoints,
        [None if number is None else _unscaled(number) for number in response_times],
        list(map(_unscaled, quantities)),
    )
    return written, *digests.halves(written)


def _in_iso_form(times: Sequence[str]) -> list[str]:
    """Of instants in the form of ``cells.instant``, which have one blank each."""
    return ("+00:00\n".join(times) + "+00:00").replace(" ", "T").split("\n") if times else []


@lru_cache(maxsize=50_000)
def _unscaled(number: int) -> str:
    return plain(Decimal(number).scaleb(-PLACES))


_DIGESTS: Final = DerivedTogether(
    (("digest", String()), ("first_half", BigInteger()), ("second_half", BigInteger())), _CONTENT, _digests
)


def _resolve(staged: Staged) -> Select[Any]:
    rows = staged.table

    def given(name: str, otherwise: ColumnElement[Any]) -> ColumnElement[Any]:
        return rows.c[name] if name in staged.given else otherwise.label(name)

    return (
        select(
            rows.c.line,
            Customer.id.label("customer_id"),
            rows.c.event_id,
            *(rows.c[name] for name, _ in _DIGESTS.columns),
            _instant(rows.c.time).label("occurred_at"),
            Meter.id.label("meter_id"),
            # By their properties, of which events from files have none.
            literal(NO_BUCKET, Integer).label("bucket_id"),
            given("user", literal("", String)),
            given("endpoint", literal("", String)),
            given("response_time", literal(None, Exact)),
            given("quantity", literal(Decimal(1), Exact)),
            literal(NO_PROPERTIES, Text).label("properties"),
        )
        .join_from(rows, Customer, columns.customer_of(rows))
        .join(Meter, Meter.code == given("meter", literal(API_CALLS, String)))
    )


def _unknown_meter(staged: Staged) -> Select[Any]:
    if "meter" in staged.given:
        return unknown("meter", Meter.code, "no meter has this code")(staged)
    return wrong(staged.table, "meter", literal("", String), "").where(false())


def _in_the_future(staged: Staged) -> Select[Any]:
    rows = staged.table
    latest = stored_on_sqlite(staged.setting.now + FURTHEST_AHEAD)
    return wrong(rows, "time", rows.c.time, "lies more than a day in the future").where(rows.c.time > latest)


def _unaddressable(staged: Staged) -> Select[Any]:
    rows = staged.table
    kept = (
        select(UsageEventKey.event_id)
        .join(Customer, Customer.id == UsageEventKey.customer_id)
        .where(Customer.ref == rows.c.customer_ref, UsageEventKey.event_id == rows.c.event_id)
        .exists()
    )
    new = rows.c.event_id.in_(UNADDRESSABLE) & ~kept
    return wrong(rows, "event_id", rows.c.event_id, UNADDRESSABLE_REASON).where(new)


def _other_content(rows: FromClause) -> Select[Any]:
    reason = "is that of an event that we have, which has other content"
    return wrong(rows, "event_id", rows.c.event_id, reason).where(rows.c.effect == "changed")


def _write(connection: Connection, resolved: Resolved) -> None:
    """Record the events that are new, as one batch."""
    rows = resolved.table
    with Session(connection) as session:
        named = Customer.id.in_(select(rows.c.customer_id))
        # Nobody changes the zone that their usage is billed in meanwhile, or withdraws an event of theirs.
        customers: Select[*tuple[Any, ...]] = (
            select(Customer.id, rollups.billing_zone().label("zone")).join(Business).where(named)
        )
        locked = session.execute(customers.order_by(Customer.id).with_for_update(read=True))
        zones = {row.zone for row in locked}
        extent = select(func.min(rows.c.occurred_at), func.max(rows.c.occurred_at), func.count())
        first, last, count = session.execute(extent).one()
        if first is None:
            return
        ensure_months(connection, UsageEvent.__tablename__, _utc_days(session, rows))
        batch = resolved.batch
        whole = keeping.take_ids(session, rows, batch) == count
        if not whole:
            _refuse_other_content(session, rows)
        dated = rollups.in_billing_zone(session, rows, zones, first, last)
        keeping.keep(session, keeping.statements(rows, dated), batch, whole=whole, many=True, now=resolved.now)


def _utc_days(session: Session, rows: FromClause) -> Iterator[date]:
    """Asked for only where months have parts of their own: it reads all rows."""
    yield from session.scalars(select(utc_day_of(rows.c.occurred_at)).distinct())


def _refuse_other_content(session: Session, rows: FromClause) -> None:
    others = select(rows.c.event_id).join(UsageEventKey, keeping.same_key(rows))
    taken = session.scalar(others.where(UsageEventKey.digest != rows.c.digest).limit(1))
    if taken is not None:
        raise Conflict(f"Somebody has just recorded an event “{taken}” with other content. Check the file again.")


DEFINITION = Definition(
    kind=Kind.USAGE,
    title="Usage events",
    model=UsageEventKey,
    keys=("customer_id", "event_id"),
    labels=("customer_ref", "event_id"),
    fields=(
        Field(
            "event_id",
            cells.event_name("id"),
            required=True,
            filled=True,
            synonyms=("event", "event key", "request id", "transaction id", "idempotency key"),
            together=cells.event_names("id", filled=True),
        ),
        columns.CUSTOMER_REF,
        Field(
            "time",
            cells.instant,
            required=True,
            filled=True,
            synonyms=("timestamp", "event time", "occurred at", "date time", "datetime"),
            together=cells.instants,
        ),
        Field("meter", cells.event_name("meter"), blank=API_CALLS, synonyms=("meter code", "metric", "event type")),
        Field(
            "user",
            cells.event_name("user"),
            synonyms=("user id", "user name", "username"),
            together=cells.event_names("user"),
        ),
        Field(
            "endpoint",
            cells.event_name("endpoint"),
            synonyms=("path", "url", "route"),
            together=cells.event_names("endpoint"),
        ),
        Field("response_time", cells.response_time, Exact, blank=None, synonyms=("duration", "latency", "seconds")),
        Field("quantity", cells.usage_quantity, Exact, blank=10**PLACES, synonyms=("units", "value", "count")),
    ),
    derived=(_DIGESTS,),
    resolve=_resolve,
    references=(columns.unknown_customer, columns.merged_customer, _unknown_meter),
    checks=(_in_the_future, _unaddressable),
    merge_checks=(_other_content,),
    of_changes=True,
    insert_only=frozenset(
        {
            "occurred_at",
            "meter_id",
            "bucket_id",
            "user",
            "endpoint",
            "response_time",
            "quantity",
            "properties",
            "first_half",
            "second_half",
        }
    ),
    beside=_KNOWN,
    write=_write,
)
