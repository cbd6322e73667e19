"""Gapless numbers: one counter per series, raised in the transaction that uses the number.

The counter's row stays locked until that transaction ends, so that nobody draws the next number before it is certain
that this one is used. A rollback returns the number with everything else.
"""

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
    sequence_in,
    series_of,
    written,
)
from billing_core.database.upserts import inserts
from billing_core.errors import Conflict, Invalid
from billing_core.invoices.models import CreditNote, Invoice, NumberSeries, SeriesKind

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
_TAKEN = {
    kind: select(table.number, table.series, table.sequence).where(
        table.business_id == bindparam("business"),
        or_(
            table.number.in_(bindparam("numbers", expanding=True)),
            and_(table.series == bindparam("counter"), table.sequence.in_(bindparam("places", expanding=True))),
        ),
    )
    for kind, table in _TABLES.items()
}
_TAKE_IN = {
    kind: update(cast("Table", table.__table__)).where(
        table.business_id == bindparam("owner"), table.number == bindparam("used"), table.sequence.is_(None)
    )
    for kind, table in _TABLES.items()
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """``series``: its counter. It and ``sequence`` are None for a custom number that fits no series."""

    number: str
    series: str | None
    sequence: int | None


def draw(session: Session, business: Business, kind: SeriesKind, issued_on: date) -> Drawn:
    """The next number of the business's series; others wait for this transaction to end."""
    return draw_many(session, business, kind, issued_on, 1)[0]


def draw_many(session: Session, business: Business, kind: SeriesKind, issued_on: date, count: int) -> list[Drawn]:
    """The next ``count`` numbers, skipping custom numbers that are already in use.

    One that did not match the series when it was claimed (another year's, another format's) but does now gets its place
    in it, so that the series stays whole.
    """
    series = series_of(_format(business, kind), issued_on)
    counter = counter_of(series)
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
    """Claim a custom number; Conflict where it is used, Invalid where it is not a valid number.

    One that matches the series takes its place in it, so that the series stays whole.
    """
    number_text = " ".join(number.split())
    if not is_number(number_text):
        reason = f"may hold letters, digits, blanks and . / # - only, at most {LONGEST_NUMBER} characters"
        raise Invalid("This cannot be a document number", fields={"invoice_number": reason})
    series = series_of(_format(business, kind), issued_on)
    counter = counter_of(series)
    # By 0: draws nothing, but locks the row, so that nobody draws this number meanwhile.
    last = _raised(session, business.id, kind, counter, by=0)
    sequence = sequence_in(series, number_text)
    if _taken(session, business.id, kind, counter, {number_text: sequence}):
        raise Conflict(f"The number {number_text} is already used", fields={"invoice_number": "is already used"})
    if sequence is None:
        return Drawn(number_text, None, None)
    if sequence == last + 1:
        _raised(session, business.id, kind, counter, by=1)
    return Drawn(number_text, counter, sequence)


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
        chunk = {"business": business_id, "numbers": batch, "counter": counter, "places": list(at)}
        for number, series, place in connection.execute(_TAKEN[kind], chunk):
            if number is not None and number in place_of:
                taken.add(number)
            if series == counter and place in at:
                taken.add(at[place])
    return taken


def _take_in(session: Session, business_id: int, kind: SeriesKind, series: str, used: dict[str, int]) -> None:
    rows = [
        {"owner": business_id, "used": number, "series": series, "sequence": sequence}
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
