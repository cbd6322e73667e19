"""The definition of a kind of import: its columns, and how a staged row matches rows of our tables."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

from sqlalchemy import FromClause, Select, String, Table, literal, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from billing_core.database import Base
from billing_core.errors import Invalid
from billing_core.imports import Kind, cells
from billing_core.imports.words import readers
from billing_core.imports.words.answers import NO_WORDS, WordsFound
from billing_core.imports.writing import Written

EVERY_CUSTOMER = "*"
_WRITTEN: Final[dict[Callable[..., Any], Written]] = {
    **dict.fromkeys((cells.words, cells.email, cells.emails, cells.sku_list, readers.payment_terms), Written.TEXT),
    **dict.fromkeys((readers.status, readers.cost_type, readers.interval, readers.duration), Written.TEXT),
    **dict.fromkeys((readers.country, readers.currency, readers.language, readers.format_region), Written.TEXT),
    **dict.fromkeys((cells.code, cells.sku, cells.promo_code), Written.CODE),
    cells.postal_code: Written.POSTAL_CODE,
    **dict.fromkeys((cells.quantity, cells.usage_quantity, cells.response_time), Written.NUMBER),
    **dict.fromkeys((cells.whole_number, cells.periods, cells.limit), Written.NUMBER),
    **dict.fromkeys((cells.price, cells.usage_price, cells.amount), Written.MONEY),
    cells.percent: Written.PERCENT,
    cells.day: Written.DAY,
    cells.instant: Written.INSTANT,
    cells.moment: Written.MOMENT,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What an import must know about the business, and the time of the import."""

    business_id: int
    currency: str
    time_zone: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a kind. ``parse`` converts a cell with text; a blank cell has the value ``blank``. ``required``:
    must be in the file. ``filled``: must not be blank. ``synonyms`` are other names of the column, most usual first.
    Where most cells of a column differ, ``together`` converts many at once, to what ``parse`` and ``blank`` make of
    each; None where one of them is unusual or wrong. ``parts``: names of columns that are the value together; the first
    and another one must be there. ``joint`` stands between several columns that are joined. ``choices``: what its words
    may stand for, where these are few. ``country``: the column with the country that a postal code is of.
    ``listed``: people are shown how each of its words was read.
    """

    name: str
    parse: Callable[..., Any]
    type: TypeEngine[Any] = field(default_factory=String)
    required: bool = False
    filled: bool = False
    blank: Any = ""
    synonyms: tuple[str, ...] = ()
    together: Callable[[Sequence[str]], list[Any] | None] | None = None
    parts: tuple[tuple[str, ...], ...] = ()
    joint: str = " "
    choices: Callable[[], dict[str, str]] | None = None
    listed: bool = False
    country: str = ""

    @property
    def written(self) -> Written:
        """What the cells are, by which ``writing`` brings them into the one form that ``parse`` takes."""
        return _WRITTEN.get(getattr(self.parse, "func", self.parse), Written.AS_IT_STANDS)


# When a row was written, by which it is known which of several of one key is the newest. It is not stored.
NEWEST_BY: Final = Field("newest_by", cells.moment)


@dataclass(frozen=True, slots=True)
class Derived:
    """A staged column computed from another one's value, or generated for each row (``source`` None)."""

    name: str
    source: str | None
    compute: Callable[..., Any]
    type: TypeEngine[Any] = field(default_factory=String)


@dataclass(frozen=True, slots=True)
class DerivedTogether:
    """Staged columns, by name and type, that are computed at once: ``compute`` takes whole columns of values, those of
    ``sources`` (a blank one's, where the file has no such column), and returns whole columns.
    """

    columns: tuple[tuple[str, TypeEngine[Any]], ...]
    sources: tuple[str, ...]
    compute: Callable[..., Sequence[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Staged:
    """A file's readable rows in a temporary table: ``line``, a column for each mapped field, the derived ones.
    ``every_customer``: its rows name no customer and apply to each. ``words``: what became of rows because of theirs.
    ``left_out``: the numbers of the orders whose rows were left out, of a file of orders.
    """

    table: Table
    given: frozenset[str]
    setting: Setting
    every_customer: bool = False
    words: WordsFound = NO_WORDS
    left_out: Table | None = None

    def columns(self, *names: str) -> list[Any]:
        """Those of the columns that the file has."""
        return [self.table.c[name] for name in names if name in self.given]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A file's rows as rows of our tables: in the temporary ``table``, and ``beside`` what they would change, with the
    ``effect`` of each, and the import that brings them. ``batch``: the random number of those that come as a batch.
    """

    table: Table
    beside: FromClause
    batch: int
    now: datetime


def _nothing_around(_session: Session, _rows: FromClause) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Definition:
    """``resolve`` selects ``line`` and columns of ``model`` from the staged rows, leaving out rows that refer to
    something unknown. ``checks`` select what is wrong with staged rows, ``merge_checks`` what is wrong with resolved
    rows beside what they would change, both as (line, column, value, reason); ``of_changes``: only with rows that would
    change something. ``references`` are checks that can only find something where rows are left out. ``keys`` identify
    a row of ``model``, and ``labels`` are the file's columns that do so for people. ``insert_only`` are columns that a
    change leaves alone, ``unshown`` those that follow from others, of which people are told. ``repeats``: a key may
    come again, as a further row that ``position`` counts. ``in_file_order``: new rows get their ids in the order of the
    file. ``around`` wraps the writing of resolved rows, to keep up what depends on them. Where a row of the file is not
    a row of ``model``, ``beside`` selects what it is compared with, and ``write`` writes what is ``Resolved``.
    ``for_everyone``: a file may apply to every customer, instead of naming them.
    """

    kind: Kind
    title: str
    model: type[Base]
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    fields: tuple[Field, ...]
    resolve: Callable[[Staged], Select[Any]]
    references: tuple[Callable[[Staged], Select[Any]], ...] = ()
    checks: tuple[Callable[[Staged], Select[Any]], ...] = ()
    merge_checks: tuple[Callable[[FromClause], Select[Any]], ...] = ()
    of_changes: bool = False
    derived: tuple[Derived | DerivedTogether, ...] = ()
    insert_only: frozenset[str] = frozenset()
    unshown: frozenset[str] = frozenset()
    repeats: bool = False
    in_file_order: bool = False
    around: Callable[[Session, FromClause], AbstractContextManager[None]] = _nothing_around
    beside: FromClause | None = None
    write: Callable[[Connection, Resolved], None] | None = None
    for_everyone: bool = False

    @property
    def table(self) -> Table:
        return cast("Table", self.model.__table__)

    @property
    def stored(self) -> FromClause:
        """What the rows of a file are compared with, by its ``id`` and ``keys``."""
        return self.table if self.beside is None else self.beside

    @property
    def one_counts(self) -> bool:
        """Whether people may say which of several rows of one key counts. Two events of one id are a fault of whoever
        sent them.
        """
        return not self.repeats and self.kind is not Kind.USAGE

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.fields if item.required)

    def field(self, name: str) -> Field:
        """Invalid where this kind has no such column."""
        for item in (*self.fields, *([NEWEST_BY] if self.one_counts else [])):
            if item.name == name:
                return item
        known = ", ".join(item.name for item in self.fields)
        raise Invalid(f"“{name}” is not a column of {self.kind}. They are: {known}")


def text_up_to(longest: int) -> Callable[[str], str]:
    """Parses a text of at most this many characters."""
    return partial(cells.words, longest=longest)


def code_up_to(longest: int) -> Callable[[str], str]:
    """Parses a key, or another text that is no word, of at most this many characters."""
    return partial(cells.code, longest=longest)


def wrong(rows: FromClause, column: str, value: Any, reason: Any) -> Select[Any]:
    """The start of a check: add ``where`` to say which rows are wrong."""
    because = literal(reason, String) if isinstance(reason, str) else reason
    return select(rows.c.line, literal(column, String), value, because).select_from(rows)


def unknown(column: str, key: InstrumentedAttribute[str], reason: str) -> Callable[[Staged], Select[Any]]:
    """A check: rows whose cell is not found in ``key``, a unique column of one of our tables."""

    def check(staged: Staged) -> Select[Any]:
        rows = staged.table
        known = select(key).where(key == rows.c[column]).exists()
        return wrong(rows, column, rows.c[column], reason).where(~known)

    return check
