"""What ``verify`` proves: that stored values agree with their sources, over everything, in a few statements."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.reading_order import reading_order

NAMED = 20
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Check:
    """``wrong`` names the first disagreements, in words; empty: proven for ``proven`` of them."""

    name: str
    proven: int
    wrong: tuple[str, ...]


def named(session: Session, statement: Select[*tuple[Any, ...]], words: str) -> tuple[str, ...]:
    """The first rows of the statement in words, such as "report {0}" with the first column filled in."""
    return tuple(dict.fromkeys(_in_words(session, statement, words)))


def count(session: Session, table: Any, *conditions: ColumnElement[bool]) -> int:
    """The rows of the table that meet the conditions."""
    return session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


def either_way(one: Select[*tuple[Any, ...]], other: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The rows that only one of the two has."""
    left, right = one.except_(other).subquery(), other.except_(one).subquery()
    rows = union_all(select(left), select(right)).subquery()
    return select(rows).distinct()


def misplaced(
    session: Session,
    name: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    order: InstrumentedAttribute[str],
    words: str,
) -> tuple[str, ...]:
    """The first names whose kept order is not where they stand among names, in words, as ``named`` has it."""
    kept = session.execute(select(name, order).distinct().execution_options(yield_per=_AT_ONCE))
    wrong = (words.format(text) for text, place in kept if place != reading_order(text or ""))
    return tuple(islice(wrong, NAMED))


def _in_words(session: Session, statement: Select[*tuple[Any, ...]], words: str) -> Iterator[str]:
    for row in session.execute(statement.limit(NAMED)):
        yield words.format(*row)
