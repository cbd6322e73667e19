"""What a figure is: a query of rows. Its value is the sum of those rows.

Every number that a page shows is declared once as a ``Figure``. The card shows ``value``, the drill-down pages
through ``rows``, the download streams ``rows``: they cannot disagree. Where summing the rows is too slow for a
page, ``kept`` names totals that are maintained with the rows, and ``verify`` proves that the two agree.

A page asks for all its figures at once (``values``): one statement, whichever packages declare them.

Each figure names the permission that its rows need, and whoever opens it here must have it. Somebody bound to one
customer sees that customer alone, whatever the scope says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Date,
    Select,
    String,
    Subquery,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.dates import Day, Period
from billing_core.identity import Actor, Permission
from billing_core.money import Money

COLUMNS = ("id", "label", "date", "currency", "amount")
NO_CURRENCY = cast(null(), String)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a figure is asked for. Empty fields do not limit. ``known_at``: the figure as it was known at that instant.
    ``as_at``: how it stood at the end of that day, for figures about a state, such as what is outstanding. ``today``:
    the day on which it is asked, for figures that depend on it, such as what is overdue.
    """

    period: Period | None = None
    currency: str | None = None
    customer_id: int | None = None
    known_at: datetime | None = None
    as_at: date | None = None
    today: Day | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """``rows`` selects exactly ``COLUMNS``: a unique id, a text for people, a day, a currency or NULL, and an integer:
    minor units where there is a currency, a count where there is none. ``permission`` is what somebody needs to see it,
    its rows included. ``kept`` selects (currency, amount) from totals that are kept with the rows. ``opens`` is the
    page that shows one row, with ``{id}`` in it, such as ``/reports?report={id}``.
    """

    key: str
    title: str
    definition: str
    formula: str
    permission: Permission
    rows: Callable[[Scope], Select[Any]]
    kept: Callable[[Scope], Select[Any]] | None = None
    opens: str = ""


Asked = tuple[Figure, Scope]


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure divided by another; it opens into the rows of both. ``shares`` is the divisor per currency, where the
    dividends of all currencies do not share one.
    """

    key: str
    title: str
    definition: str
    formula: str
    dividend: Figure
    divisor: Figure
    shares: Figure | None = None

    @property
    def parts(self) -> tuple[Figure, Figure]:
        """The two figures to request, to divide the one by the other."""
        return self.dividend, self.shares or self.divisor

    def quotients(self, dividends: Mapping[str | None, int], divisors: Mapping[str | None, int]) -> dict[str, int]:
        """From the values of ``parts``: minor units per currency; nothing where there is no divisor."""
        return {
            code: self.quotient(Money(dividends[code], code), count).minor
            for code in sorted(code for code in dividends if code is not None)
            if (count := divisors.get(code if self.shares else None, 0))
        }

    @staticmethod
    def quotient(dividend: Money, divisor: int) -> Money:
        """The ratio in one currency, rounded once."""
        return Money.rounded(dividend.amount / divisor, dividend.currency)


@dataclass(frozen=True, slots=True)
class FigureRow:
    id: int
    label: str
    date: date | None
    currency: str | None
    amount: int


def select_rows(identity: Any, label: Any, day: Any, currency: Any, amount: Any) -> Select[*tuple[Any, ...]]:
    """Rows for a figure, by the names of ``COLUMNS``. ``day``: what its list is sorted by."""
    columns = zip(COLUMNS, (identity, label, day, currency, amount), strict=True)
    return select(*(column.label(name) for name, column in columns))


def one_each(identity: Any, label: Any, day: Any) -> Select[*tuple[Any, ...]]:
    """Rows for a figure that counts: each thing once, in no currency."""
    return select_rows(identity, label, day, NO_CURRENCY, literal(1))


def bound(
    rows: Select[*tuple[Any, ...]], scope: Scope, customer_id: InstrumentedAttribute[Any]
) -> Select[*tuple[Any, ...]]:
    """The rows of the scope's customer, or all."""
    return rows if scope.customer_id is None else rows.where(customer_id == scope.customer_id)


def day_of(instant: Any) -> ColumnElement[date]:
    """The day of an instant in UTC, as ``one_each`` takes it."""
    return type_coerce(func.date(instant), Date)


def visible(actor: Actor, figure: Figure, scope: Scope) -> Scope:
    """The scope in which this actor sees the figure; Forbidden where they may not see it at all."""
    actor.require(figure.permission)
    return scope if actor.customer_id is None else replace(scope, customer_id=actor.customer_id)


def value(session: Session, actor: Actor, figure: Figure, scope: Scope) -> dict[str | None, int]:
    """Minor units per currency, or ``{None: count}``. Currencies are never added to each other."""
    return _read(session, _total(figure, visible(actor, figure, scope)))


def values(session: Session, actor: Actor, asked: Sequence[Asked]) -> list[dict[str | None, int]]:
    """The value of each figure in its scope, in the requested order: one statement for all of them."""
    amounts: list[dict[str | None, int]] = [{} for _ in asked]
    if asked:
        seen = tuple((figure, visible(actor, figure, scope)) for figure, scope in asked)
        for currency, amount, place in session.execute(_totals(seen)):
            if amount is not None:
                amounts[place][currency] = int(amount)
    return amounts


def proven(session: Session, actor: Actor, figure: Figure, scope: Scope) -> dict[str | None, int]:
    """The value computed from the rows themselves, even where a kept total is shown."""
    return _read(session, _summed(figure, visible(actor, figure, scope)))


def money(session: Session, actor: Actor, figure: Figure, scope: Scope) -> list[Money]:
    """The value as one Money per currency, in the order of the currency codes."""
    totals = value(session, actor, figure, scope)
    return [Money(totals[code], code) for code in sorted(code for code in totals if code is not None)]


def count(session: Session, actor: Actor, figure: Figure, scope: Scope) -> int:
    """The value of a figure that counts."""
    return value(session, actor, figure, scope).get(None, 0)


def page(
    session: Session, actor: Actor, figure: Figure, scope: Scope, *, limit: int = 50, offset: int = 0
) -> list[FigureRow]:
    """One page of the rows, newest first."""
    rows = figure.rows(visible(actor, figure, scope)).subquery()
    statement = select(*(rows.c[name] for name in COLUMNS)).order_by(rows.c.date.desc(), rows.c.id.desc())
    return [FigureRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def row_count(session: Session, actor: Actor, figure: Figure, scope: Scope) -> int:
    rows = figure.rows(visible(actor, figure, scope)).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def stream(session: Session, actor: Actor, figure: Figure, scope: Scope) -> Iterator[Sequence[Any]]:
    """Every row for an export, in constant memory."""
    rows = figure.rows(visible(actor, figure, scope)).subquery()
    statement = select(*(rows.c[name] for name in COLUMNS)).order_by(rows.c.date, rows.c.id)
    return iter(session.execute(statement.execution_options(yield_per=5_000)))


def _read(session: Session, statement: Select[Any]) -> dict[str | None, int]:
    return {currency: int(amount) for currency, amount in session.execute(statement) if amount is not None}


def _total(figure: Figure, scope: Scope) -> Select[Any]:
    return figure.kept(scope) if figure.kept else _summed(figure, scope)


# Building the statement takes longer than running it, and pages request the same figures again and again.
@lru_cache(maxsize=128)
def _totals(asked: tuple[Asked, ...]) -> CompoundSelect[Any]:
    return union_all(
        *(
            _total(figure, scope).add_columns(literal_column(str(place)).label("place"))
            for place, (figure, scope) in enumerate(asked)
        )
    )


def _summed(figure: Figure, scope: Scope) -> Select[Any]:
    rows = figure.rows(scope)
    if getattr(rows.selected_columns["currency"], "element", None) is NO_CURRENCY:
        # What is counted is one group, and is not sorted into groups first.
        return select(NO_CURRENCY, func.sum(rows.subquery().c.amount))
    return summed(rows.subquery())


def summed(rows: Subquery) -> Select[Any]:
    """The sum of the rows per currency."""
    return select(rows.c.currency, func.sum(rows.c.amount)).group_by(rows.c.currency)
