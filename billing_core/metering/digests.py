"""A digest of each organization's UTC days, by which anybody can tell whether a list of its events is whole.

An event's digest is the SHA-256 of its id and content. A day's is the sum of the digests of the events that count, by
words of 32 bits: it depends on no order, and a batch or a withdrawn event changes it without reading the other events.
The four words that are kept find what got lost, came twice or was changed by a fault or by hand: by chance it would go
unnoticed once in 2^128 times. Sums of hashes do not keep out somebody who makes up many events until their sum fits;
whoever could write those into the database could write any other digest there as well.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from struct import unpack
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    SQLColumnExpression,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from billing_core.database.engine import Reads
from billing_core.database.functions import among, word_of
from billing_core.database.upserts import Insert, inserts
from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import UsageDigest, UsageEventKey
from billing_core.metering.queries import refuse_others
from billing_core.metering.zones import utc_day_of

KEY: Final = ("customer_id", "day")
SUMS: Final = ("events", "word_1", "word_2", "word_3", "word_4")
WORDS: Final = 4
_DIGITS: Final = 8
_WORD_BITS: Final = 32
_WORD: Final = 2**_WORD_BITS - 1


@dataclass(frozen=True, slots=True)
class DayDigest:
    """Of the ``events`` that count on a UTC day; ``digest`` in 32 hexadecimal digits."""

    day: date
    events: int
    digest: str


def of_days(session: Reads, actor: Actor, customer_id: int, period: Period) -> list[DayDigest]:
    """The digests of those UTC days of the period that have events, in order."""
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    columns = (UsageDigest.day, *(getattr(UsageDigest, name) for name in SUMS))
    days = select(*columns).where(UsageDigest.customer_id == customer_id, period.contains(UsageDigest.day))
    rows = session.execute(days.order_by(UsageDigest.day))
    return [DayDigest(day, events, written(sums)) for day, events, *sums in rows]


def words(digest: str) -> list[int]:
    """The first words of an event's digest."""
    return [int(digest[_DIGITS * number :][:_DIGITS], 16) for number in range(WORDS)]


def written(sums: Collection[int]) -> str:
    """Sums of words as the digest's digits: each without what overflows its 32 bits."""
    return "".join(f"{one & _WORD:08x}" for one in sums)


def by_day(rows: FromClause) -> Select[*tuple[Any, ...]]:
    """The columns ``KEY`` and ``SUMS`` over rows of customer_id, occurred_at and digest."""
    day = utc_day_of(rows.c.occurred_at)
    each = (word(rows.c.digest, number) for number in range(WORDS))
    return select(
        rows.c.customer_id,
        day.label("day"),
        func.count().label("events"),
        *(func.sum(one).label(f"word_{number}") for number, one in enumerate(each, 1)),
    ).group_by(rows.c.customer_id, day)


def counted(customer_ids: Collection[int] | None = None) -> FromClause:
    """The identities of the events that count, of these customers (None: all)."""
    chosen = true() if customer_ids is None else among(UsageEventKey.customer_id, customer_ids)
    columns = (UsageEventKey.customer_id, UsageEventKey.occurred_at, UsageEventKey.digest)
    return select(*columns).where(UsageEventKey.withdrawn_at.is_(None), chosen).subquery("counted_keys")


def halves(written_digests: Collection[str]) -> tuple[Sequence[int], Sequence[int]]:
    """Of each of these digests the first two words in one signed integer, as databases have them, and the other two."""
    packed = bytes.fromhex("".join([one[: WORDS * _DIGITS] for one in written_digests]))
    both = unpack(f">{2 * len(written_digests)}q", packed)
    return both[::2], both[1::2]


def sums_of_halves(rows: FromClause) -> list[ColumnElement[int]]:
    """The words of these rows' digests, which stand in ``first_half`` and ``second_half``, added up."""
    each = (
        word
        for half in (rows.c.first_half, rows.c.second_half)
        for word in (half.bitwise_rshift(literal(_WORD_BITS, Integer)).bitwise_and(_WORD), half.bitwise_and(_WORD))
    )
    return [func.sum(type_coerce(one, BigInteger)).label(f"word_{number}") for number, one in enumerate(each, 1)]


def adding(dialect: str, groups: FromClause) -> Insert:
    """The statement that counts events by their groups of ``rollups.grouped`` with ``sums_of_halves``, which have not
    been counted before. Rows are locked in the order of their keys.
    """
    words = (func.sum(groups.c[name]).label(name) for name in SUMS[1:])
    key = (groups.c.customer_id, groups.c.utc_day)
    days = select(*key, func.sum(groups.c.calls), *words).group_by(*key).order_by(*key)
    added = inserts(UsageDigest)[dialect].from_select([*KEY, *SUMS], days)
    more = {name: getattr(UsageDigest, name) + added.excluded[name] for name in SUMS}
    return added.on_conflict_do_update(index_elements=KEY, set_=more)


def subtract(session: Session, key: UsageEventKey) -> None:
    """Leave this event, which counts so far, out of its day."""
    place = (UsageDigest.customer_id == key.customer_id, UsageDigest.day == key.occurred_at.date())
    unchanged = {"synchronize_session": False}
    session.execute(delete(UsageDigest).where(*place, UsageDigest.events == 1), execution_options=unchanged)
    left = {name: getattr(UsageDigest, name) - one for name, one in zip(SUMS, [1, *words(key.digest)], strict=True)}
    session.execute(update(UsageDigest).where(*place).values(left), execution_options=unchanged)


def subtract_all(session: Session, keys: FromClause) -> None:
    """Leave all these events, which count so far, out of their days."""
    gone = by_day(keys).subquery("gone")
    place = [getattr(UsageDigest, name) == gone.c[name] for name in KEY]
    unchanged = {"synchronize_session": False}
    emptied = exists().where(*place, UsageDigest.events == gone.c.events)
    session.execute(delete(UsageDigest).where(emptied), execution_options=unchanged)
    left = {name: getattr(UsageDigest, name) - gone.c[name] for name in SUMS}
    session.execute(update(UsageDigest).where(*place).values(left), execution_options=unchanged)


def rebuild(session: Session, customer_ids: Collection[int] | None = None) -> None:
    """Make the digests of these customers (None: all) anew."""
    session.flush()
    chosen = true() if customer_ids is None else among(UsageDigest.customer_id, customer_ids)
    session.execute(delete(UsageDigest).where(chosen).execution_options(synchronize_session=False))
    session.execute(insert(UsageDigest).from_select([*KEY, *SUMS], by_day(counted(customer_ids))))


def word(digest: SQLColumnExpression[str], number: int) -> ColumnElement[int]:
    """In SQL: one of the words of an event's digest, counted from 0."""
    return type_coerce(word_of(digest, _DIGITS * number), BigInteger)
