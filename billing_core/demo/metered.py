"""The demo company's usage: plans, who is on which, and what their programs called.

It uses the product for its usage since the beginning of last month. For the months before there are totals alone, as
the former system handed them over: they are kept as those of archives without a file. Every step that is there already
stays as it is, so that a fill that was cut off can be finished.
"""

import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Column, MetaData, String, Table, delete, insert, select
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from billing_core.database import Sessions
from billing_core.database.loading import loader
from billing_core.database.partitions import ensure_months
from billing_core.database.types import stored_on_sqlite
from billing_core.database.upserts import insert_into
from billing_core.dates import Period, add_months, first_of_month, start_of_day
from billing_core.demo import usage_book
from billing_core.demo.billing import Books
from billing_core.demo.definitions import Definitions, PlanVersionDefinition
from billing_core.demo.usage_book import Call, UserDay
from billing_core.identity import Actor
from billing_core.metering import digests, ingestion, keeping, rollups, withdrawal
from billing_core.metering.archives import totals
from billing_core.metering.models import (
    API_CALLS,
    NO_BUCKET,
    PLACES,
    Meter,
    UsageArchive,
    UsageArchivedUser,
    UsageDay,
    UsageEvent,
    UsageEventKey,
    UsageUser,
    ZoneKind,
)
from billing_core.metering.reading import digest
from billing_core.metering.zones import midnight
from billing_core.plans import service as plans
from billing_core.plans.models import Plan, PlanInterval
from billing_core.plans.terms import Terms
from billing_core.usage import billing

_DAY: Final = timedelta(days=1)
# Events that are written in one transaction: others wait for it less than a second.
_EVENTS_AT_ONCE: Final = 12_000
_EVENTS = UsageEvent.__table__
_CALLS = Table(
    "demo_calls",
    MetaData(),
    Column("digest", String),
    Column("first_half", BigInteger),
    Column("second_half", BigInteger),
    *(Column(column.name, column.type) for column in _EVENTS.columns if column.name not in {"received_at", "late"}),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
# Whose usage of last month is billed. Of the first, calls came in late, and as many came twice under other ids.
_BILLED: Final = ("KAFFE", "NORDL", "KNIHY")
_LATE_CALLS: Final = 12


@dataclass(frozen=True, slots=True)
class _Company:
    """``hand_over`` is the first day whose events are here."""

    made_of: Definitions
    books: Books
    seed: int
    hand_over: date


def fill(
    sessions: Sessions,
    actor: Actor,
    made_of: Definitions,
    books: Books,
    *,
    seed: int,
    calls: int,
    now: datetime,
    pause: float,
) -> None:
    """That many calls from the company's first day to yesterday. ``pause``: seconds between two transactions."""
    this_month = first_of_month(books.today)
    company = _Company(made_of, books, seed, add_months(this_month, -1))
    with sessions.begin() as session:
        _agree_on_plans(session, actor, company)
    days = Period(books.first_day, books.today - _DAY)
    used = usage_book.draw(made_of, seed, days=days, first_month=books.first_day, calls=calls)
    handed_over = [one for one in used if one.day < company.hand_over]
    for month, of_month in groupby(handed_over, key=lambda one: first_of_month(one.day)):
        with sessions.begin() as session:
            _take_over(session, company, month, list(of_month))
        time.sleep(pause)
    for batch in _batches(company, used[len(handed_over) :]):
        with sessions.begin() as session:
            _record(session, company, batch)
        time.sleep(pause)
    billed_at = books.month_after(company.hand_over)
    if billed_at < now:
        _bill(sessions, actor, company, billed_at)


def _agree_on_plans(session: Session, actor: Actor, company: _Company) -> None:
    """Plans, their versions, and who was put on them, in the order in which that happened."""
    made_of, books = company.made_of, company.books
    if session.scalar(select(Plan.id).where(Plan.code.in_([plan.code for plan in made_of.plans])).limit(1)) is not None:
        return
    this_month = first_of_month(books.today)

    def agreed(months_ago: int, day: int = 1) -> date:
        return max(books.first_day, add_months(this_month, -months_ago) + (day - 1) * _DAY)

    versions = {(plan.code, agreed(one.months_ago)): one for plan in made_of.plans for one in plan.versions}
    put_on = {
        (organization.ref, agreed(one.months_ago, one.day)): one.plan
        for organization in made_of.usage.organizations
        for one in organization.plans
    }
    for (code, day), version in sorted(versions.items(), key=lambda item: (item[0][1], item[0][0])):
        plan = next(plan for plan in made_of.plans if plan.code == code)
        now = start_of_day(books.zone, day)
        terms = _terms(plan.currency, version)
        if session.scalar(select(Plan.id).where(Plan.code == code)) is None:
            plans.create(session, actor, code=code, name=plan.name, agreed=terms, now=now)
        else:
            plans.add_version(session, actor, code, terms, now=now)
        following = [other for other_code, other in versions if other_code == code and other > day]
        for (ref, valid_from), chosen in sorted(put_on.items(), key=lambda item: item[0][::-1]):
            if chosen == code and day <= valid_from < min(following, default=date.max):
                plans.put_on(session, actor, books.customers[ref], code, valid_from=valid_from, now=now)


def _terms(currency: str, version: PlanVersionDefinition) -> Terms:
    return Terms(currency, version.price, version.included_calls, version.price_per_call, PlanInterval.MONTH)


def _take_over(session: Session, company: _Company, month: date, used: Sequence[UserDay]) -> None:
    """A month's totals as the former system had them."""
    if session.scalar(select(UsageArchive.id).where(UsageArchive.month == month)) is not None:
        return
    books = company.books
    archive = UsageArchive(
        month=month,
        file=None,
        events=sum(one.calls for one in used),
        totals="",
        archived_at=start_of_day(books.zone, company.hand_over),
    )
    session.add(archive)
    session.flush()
    meter_id = session.scalars(select(Meter.id).where(Meter.code == API_CALLS)).one()
    found: Counter[tuple[int, ZoneKind, date, str]] = Counter()
    milliseconds: Counter[tuple[int, ZoneKind, date, str]] = Counter()
    for zone_kind, one, day, calls in _by_zone(company, used):
        place = books.customers[one.ref], zone_kind, day, one.user
        found[place] += calls
        milliseconds[place] += calls * _usual_milliseconds(company, one)
    session.execute(
        insert(UsageDay),
        [
            {
                **dict(zip(("customer_id", "zone_kind", "day", "user"), place, strict=True)),
                "meter_id": meter_id,
                "bucket_id": NO_BUCKET,
                "archive_id": archive.id,
                "calls": calls,
                "whole": calls,
                "millionths": 0,
                "response_time": Decimal(milliseconds[place]).scaleb(-3),
                "timed_calls": calls,
            }
            for place, calls in found.items()
            if calls
        ],
    )
    first = {(one.ref, one.user): one.day for one in reversed(used)}
    seen = [
        {"customer_id": books.customers[ref], "user": user, "first_seen_at": midnight(day) + timedelta(hours=6)}
        for (ref, user), day in first.items()
    ]
    session.execute(insert(UsageArchivedUser), [{"archive_id": archive.id, **one} for one in seen])
    session.execute(insert_into(session, UsageUser).on_conflict_do_nothing(), seen)
    totals.seal(session, archive)


def _by_zone(company: _Company, used: Sequence[UserDay]) -> Iterator[tuple[ZoneKind, UserDay, date, int]]:
    """Each with its calls on its UTC day, and on the days of the billing zone, which begin some hours off."""
    zone = ZoneInfo(company.books.zone)
    for one in used:
        yield ZoneKind.UTC, one, one.day, one.calls
        offset = midnight(one.day).astimezone(zone).utcoffset()
        hours = 0 if offset is None else round(offset / timedelta(hours=1))
        other_day = one.day + _DAY if hours > 0 else one.day - _DAY
        moved = range(24 - hours, 24) if hours > 0 else range(-hours)
        calls = usage_book.within_hours(company.made_of, one.calls, moved)
        yield ZoneKind.BILLING, one, other_day, calls
        yield ZoneKind.BILLING, one, one.day, one.calls - calls


def _usual_milliseconds(company: _Company, one: UserDay) -> int:
    chance = random.Random(f"{company.seed} {one.ref} {one.day}")  # noqa: S311
    return usage_book.average_milliseconds(company.made_of) * chance.randrange(90, 111) // 100


def _batches(company: _Company, used: Sequence[UserDay]) -> Iterator[list[Call]]:
    batch: list[Call] = []
    for _, of_day in groupby(used, key=lambda one: (one.ref, one.day)):
        batch += usage_book.each_call(company.made_of, company.seed, list(of_day))
        if len(batch) >= _EVENTS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _record(session: Session, company: _Company, calls: Sequence[Call]) -> None:
    """Keep these calls as if they had been told at the end of their last day; those that are there stay."""
    connection = session.connection()
    ensure_months(connection, UsageEvent.__tablename__, {call.at.date() for call in calls})
    connection.execute(CreateTable(_CALLS, if_not_exists=True))
    connection.execute(delete(_CALLS))
    meter_id = session.scalars(select(Meter.id).where(Meter.code == API_CALLS)).one()
    times = [call.at for call in calls]
    on_sqlite = connection.dialect.name == "sqlite"
    one_call = 10**PLACES
    written_digests = [_digest(call) for call in calls]
    halves = digests.halves(written_digests)
    values: dict[str, Sequence[Any]] = {
        "digest": written_digests,
        **dict(zip(("first_half", "second_half"), halves, strict=True)),
        "customer_id": [company.books.customers[call.ref] for call in calls],
        "occurred_at": list(map(stored_on_sqlite, times)) if on_sqlite else times,
        "event_id": [call.id for call in calls],
        "meter_id": [meter_id] * len(calls),
        "bucket_id": [NO_BUCKET] * len(calls),
        "user": [call.user for call in calls],
        "endpoint": [call.endpoint for call in calls],
        "response_time": [call.response_time * one_call // 1_000 for call in calls],
        "quantity": [one_call] * len(calls),
        "properties": ["{}"] * len(calls),
        # Calls are counted from the totals of days.
        "raw": [False] * len(calls),
    }
    loader(connection, _CALLS)([values[column.name] for column in _CALLS.columns])
    batch = secrets.randbits(62)
    whole = keeping.take_ids(session, _CALLS, batch) == len(calls)
    first, last = min(times), max(times)
    dated = rollups.in_billing_zone(session, _CALLS, {company.books.zone}, first, last)
    told_at = midnight(last.date()) + _DAY
    keeping.keep(session, keeping.statements(_CALLS, dated), batch, whole=whole, now=told_at)


def _digest(call: Call) -> str:
    seconds = Decimal(call.response_time).scaleb(-3)
    return digest(call.id, call.at, API_CALLS, call.user, call.endpoint, seconds, Decimal(1), "{}")


def _bill(sessions: Sessions, actor: Actor, company: _Company, now: datetime) -> None:
    """Last month's usage of some; afterwards more of it came in, and some turned out to have been told twice."""
    books, month = company.books, Period.month_of(company.hand_over)
    with sessions.begin() as session:
        ids = [books.customers[ref] for ref in _BILLED]
        billing.bill_many(session, actor, ids, month, now=now, today=first_of_month(books.today))
    first = _BILLED[0]
    user = usage_book.organization(company.made_of, first).users[0].name
    late = [
        {
            "id": f"{first}-late-{number:02d}",
            "customer_ref": first,
            "time": midnight(month.end) + timedelta(hours=16, minutes=4 * number),
            "user": user,
            "endpoint": company.made_of.usage.endpoints[0].path,
            "response_time": Decimal("0.25"),
        }
        for number in range(1, _LATE_CALLS + 1)
    ]
    with sessions.begin() as session:
        ingestion.record(session, actor, late, now=now + timedelta(hours=3))
    with sessions.begin() as session:
        again = (
            select(UsageEventKey.event_id)
            .where(
                UsageEventKey.customer_id == books.customers[first],
                UsageEventKey.event_id.startswith(f"{first}-{month.start + 2 * _DAY:%Y%m%d}-", autoescape=True),
            )
            .order_by(UsageEventKey.event_id)
            .limit(_LATE_CALLS)
        )
        standing = session.scalars(again.where(UsageEventKey.withdrawn_at.is_(None))).all()
        if len(standing) == len(session.scalars(again).all()):
            for event_id in standing:
                reason = "Sent again under another id after a timeout"
                withdrawal.withdraw(
                    session, actor, books.customers[first], event_id, reason=reason, now=now + timedelta(hours=5)
                )
