"""Gapless numbers: one counter per series, raised in the transaction that uses the number.

The counter's row stays locked until that transaction ends, so that nobody draws the next number before it is certain
that this one is used. A rollback returns the number with everything else.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import cast

from sqlalchemy import Table, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from billing_core.businesses.models import Business
from billing_core.businesses.number_format import (
    LONGEST_NUMBER,
    counter_of,
    filled_like,
    is_number,
    key_of,
    place_in,
    series_of,
    written,
    year_in,
)
from billing_core.businesses.number_series import NumberSeries, SeriesKind
from billing_core.database.upserts import inserts
from billing_core.errors import Conflict, Invalid
from billing_core.invoices.models import CreditNote, Invoice

_TABLES: dict[SeriesKind, type[Invoice] | type[CreditNote]] = {
    SeriesKind.INVOICE: Invoice,
    SeriesKind.CREDIT_NOTE: CreditNote,
}
# Built once: building a statement takes as long as running it, and every sent invoice needs these.
_SERIES = cast("Table", NumberSeries.__table__)
_RAISE: dict[str, ReturningInsert[int]] = {
    name: new.on_conflict_do_update(
        index_elements=[_SERIES.c.business_id, _SERIES.c.kind, _SERIES.c.series],
        set_={"last": _SERIES.c.last + new.excluded.last},
    ).returning(_SERIES.c.last)
    for name, new in inserts(_SERIES).items()
}
_COUNTERS = (
    select(NumberSeries.series)
    .where(
        NumberSeries.business_id == bindparam("business"),
        NumberSeries.kind == bindparam("kind", type_=_SERIES.c.kind.type),
    )
    .order_by(NumberSeries.last.desc(), NumberSeries.series)
)
_TAKEN = {
    kind: select(table.number_key, table.series, table.sequence).where(
        table.business_id == bindparam("business"),
        or_(
            table.number_key.in_(bindparam("keys", expanding=True)),
            and_(table.series == bindparam("counter"), table.sequence.in_(bindparam("places", expanding=True))),
        ),
    )
    for kind, table in _TABLES.items()
}
_TAKE_IN = {
    kind: update(cast("Table", table.__table__)).where(
        table.business_id == bindparam("owner"), table.number_key == bindparam("used"), table.sequence.is_(None)
    )
    for kind, table in _TABLES.items()
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """``series``: its counter. It and ``sequence`` are None for a custom number that fits no series."""

    number: str
    series: str | None
    sequence: int | None

    @property
    def key(self) -> str:
        return key_of(self.number)


def draw(session: Session, business: Business, kind: SeriesKind, issued_on: date) -> Drawn:
    """The next number of the business's series; others wait for this transaction to end."""
    return draw_many(session, business, kind, issued_on, 1)[0]


def draw_many(session: Session, business: Business, kind: SeriesKind, issued_on: date, count: int) -> list[Drawn]:
    """The next ``count`` numbers, skipping custom numbers that are already in use.

    One that did not match the series when it was claimed (another year's, another format's) but does now gets its place
    in it, so that the series stays whole.
    """
    series = series_of(_format(business, kind), issued_on)
    counter = _counter(session, business.id, kind, series)
    drawn: list[Drawn] = []
    while len(drawn) < count:
        missing = count - len(drawn)
        last = _raised(session, business.id, kind, counter, by=missing)
        sequences = range(last - missing + 1, last + 1)
        numbers = {written(series, sequence): sequence for sequence in sequences}
        taken = _taken(session, business.id, kind, counter, numbers)
        _take_in(session, business.id, kind, counter, {number: numbers[number] for number in taken})
        drawn += [Drawn(number, counter, sequence) for number, sequence in numbers.items() if number not in taken]
    return drawn


def claim(session: Session, business: Business, kind: SeriesKind, number: str, issued_on: date) -> Drawn:
    """Claim a custom number; Conflict where it is used or ahead of its turn, Invalid where it is not a valid number.

    One of a series takes its place there, written as the series writes it, so that the series stays whole: if it comes
    after the next one, those between them might never be drawn. One of no series is kept as it is.
    """
    number_text = " ".join(unicodedata.normalize("NFC", number).split())
    if not is_number(number_text):
        reason = f"may hold letters, digits, blanks and . / # - only, at most {LONGEST_NUMBER} characters"
        raise Invalid("This cannot be a document number", fields={"invoice_number": reason})
    own = series_of(_format(business, kind), issued_on)
    series = _like(session, business, kind, number_text, issued_on) or own
    counter = _counter(session, business.id, kind, series)
    # By 0: draws nothing, but locks the row, so that nobody draws this number meanwhile.
    last = _raised(session, business.id, kind, counter, by=0)
    sequence = place_in(series, number_text)
    next_place = _next(session, business.id, kind, counter, series, last)
    if sequence is not None and sequence > next_place:
        turn = written(series, next_place)
        raise Conflict(
            f"The number {number_text} is ahead of its turn: the next one of its series is {turn}",
            fields={"invoice_number": f"is ahead of its turn, which is that of {turn}"},
        )
    if _taken(session, business.id, kind, counter, {number_text: sequence}):
        raise Conflict(f"The number {number_text} is already used", fields={"invoice_number": "is already used"})
    if sequence is None:
        return Drawn(number_text, None, None)
    if sequence == last + 1:
        _raised(session, business.id, kind, counter, by=1)
    return Drawn(written(series, sequence), counter, sequence)


def _like(session: Session, business: Business, kind: SeriesKind, number: str, issued_on: date) -> str | None:
    """The series that a number is one of: that of its day, one that is counted, or one of a year to come."""
    number_format = _format(business, kind)
    own = series_of(number_format, issued_on)
    if place_in(own, number):
        return own
    counters = (filled_like(counter, number_format) for counter in _counters(session, business.id, kind))
    if found := next((series for series in counters if place_in(series, number)), None):
        return found
    year = year_in(number_format, number)
    return series_of(number_format, date(year, 1, 1)) if year and year > issued_on.year else None


def _next(session: Session, business_id: int, kind: SeriesKind, counter: str, series: str, last: int) -> int:
    """The first place behind the last one drawn that no document has."""
    first = last + 1
    while True:
        places = {written(series, place): place for place in range(first, first + 100)}
        taken = _taken(session, business_id, kind, counter, places)
        if free := [place for number, place in places.items() if number not in taken]:
            return free[0]
        first += 100


def _counter(session: Session, business_id: int, kind: SeriesKind, series: str) -> str:
    """The key of the series' counter: one that counts already where only the case of letters differs."""
    counter = counter_of(series)
    same = [one for one in _counters(session, business_id, kind) if key_of(one) == key_of(counter)]
    return same[0] if same else counter


def _counters(session: Session, business_id: int, kind: SeriesKind) -> list[str]:
    """Those that have counted furthest first."""
    counting = {"business": business_id, "kind": kind}
    return list(session.connection().execute(_COUNTERS, counting).scalars())


def _format(business: Business, kind: SeriesKind) -> str:
    return business.invoice_format if kind is SeriesKind.INVOICE else business.credit_note_format


def _raised(session: Session, business_id: int, kind: SeriesKind, series: str, *, by: int) -> int:
    """Raise the counter and return its value. The row is locked until the transaction ends, also by 0."""
    connection = session.connection()
    facts = {"business_id": business_id, "kind": kind, "series": series, "last": by}
    return int(connection.execute(_RAISE[connection.dialect.name], facts).scalar_one())


def _taken(
    session: Session, business_id: int, kind: SeriesKind, counter: str, place_of: Mapping[str, int | None]
) -> set[str]:
    """The numbers that a document has, or whose place it has: with fewer or more leading zeros."""
    session.flush()
    connection = session.connection()
    numbers = list(place_of)
    taken: set[str] = set()
    for start in range(0, len(numbers), 500):
        batch = numbers[start : start + 500]
        at = {place: number for number in batch if (place := place_of[number]) is not None}
        called = {key_of(number): number for number in batch}
        chunk = {"business": business_id, "keys": list(called), "counter": counter, "places": list(at)}
        for key, series, place in connection.execute(_TAKEN[kind], chunk):
            if key in called:
                taken.add(called[key])
            if series == counter and place in at:
                taken.add(at[place])
    return taken


def _take_in(session: Session, business_id: int, kind: SeriesKind, series: str, used: dict[str, int]) -> None:
    rows = [
        {"owner": business_id, "used": key_of(number), "series": series, "sequence": sequence}
        for number, sequence in used.items()
    ]
    if rows:
        session.connection().execute(_TAKE_IN[kind], rows)


@dataclass(frozen=True, slots=True)
class Series:
    """One series and the proof that it has no gaps: ``used`` documents are at the places 1 to ``last``.
    ``first_number`` and ``last_number``: of the documents at the first and last place drawn. ``ahead``: documents whose
    number was chosen before the counter reached it.
    """

    business_id: int
    kind: SeriesKind
    series: str
    last: int
    used: int
    first_number: str | None
    last_number: str | None
    ahead: int

    @property
    def whole(self) -> bool:
        return self.used == self.last


def series(session: Session, *, business_id: int | None = None) -> list[Series]:
    """Every series with its proof. Places are unique in the database, so counting them proves that none is missing."""
    every: list[Series] = []
    for kind, table in _TABLES.items():
        counted = (
            select(
                NumberSeries.business_id,
                NumberSeries.series,
                NumberSeries.last,
                func.count(table.id).filter(table.sequence <= NumberSeries.last),
                func.max(table.number).filter(table.sequence == 1),
                func.max(table.number).filter(table.sequence == NumberSeries.last),
                func.count(table.id).filter(table.sequence > NumberSeries.last),
            )
            .outerjoin(table, (table.business_id == NumberSeries.business_id) & (table.series == NumberSeries.series))
            .where(NumberSeries.kind == kind)
            .group_by(NumberSeries.business_id, NumberSeries.series, NumberSeries.last)
            .order_by(NumberSeries.business_id, NumberSeries.series)
        )
        if business_id is not None:
            counted = counted.where(NumberSeries.business_id == business_id)
        every += [
            Series(owner, kind, name, last, used, first_number, last_number, ahead)
            for owner, name, last, used, first_number, last_number, ahead in session.execute(counted)
        ]
    return every


def holes(session: Session, counter: Series, *, limit: int = 100) -> list[str]:
    """The numbers of a series that no document has, lowest first; empty where it has no gaps."""
    table = Invoice if counter.kind is SeriesKind.INVOICE else CreditNote
    before = func.lag(table.sequence, 1, 0).over(order_by=table.sequence)
    places = (
        select(table.sequence.label("at"), before.label("previous"))
        .where(
            table.business_id == counter.business_id,
            table.series == counter.series,
            table.sequence <= counter.last,
        )
        .subquery()
    )
    gaps = session.execute(
        select(places.c.previous, places.c.at).where(places.c.at > places.c.previous + 1).order_by(places.c.at)
    ).all()
    end = session.scalar(
        select(func.coalesce(func.max(table.sequence), 0)).where(
            table.business_id == counter.business_id,
            table.series == counter.series,
            table.sequence <= counter.last,
        )
    )
    missing = [place for previous, at in gaps for place in range(previous + 1, min(at, previous + 1 + limit))]
    missing += range((end or 0) + 1, min(counter.last, (end or 0) + limit) + 1)
    series = filled_like(counter.series, _format(session.get_one(Business, counter.business_id), counter.kind))
    return [written(series, place) for place in missing[:limit]]
