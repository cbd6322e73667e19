"""What SQLite and PostgreSQL spell or treat differently."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import reduce
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    ColumnElement,
    ColumnExpressionArgument,
    Date,
    Select,
    SQLColumnExpression,
    String,
    false,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from billing_core.database.folding import fold, folded
from billing_core.database.types import UtcDateTime, stored_on_sqlite
from billing_core.text import is_torn

Columns = Mapping[str, TypeEngine[Any]]


class month_of(FunctionElement[date]):  # noqa: N801 - reads as the SQL function that it is
    """The first day of the month in which a day lies."""

    type = Date()
    inherit_cache = True


@compiles(month_of, "sqlite")
def _on_sqlite(element: month_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)}, 'start of month')"


@compiles(month_of, "postgresql")
def _on_postgresql(element: month_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(date_trunc('month', {compiler.process(element.clauses, **options)}) AS date)"


class day_after(FunctionElement[date]):  # noqa: N801 - reads as the SQL function that it is
    """The day that follows a day."""

    type = Date()
    inherit_cache = True


@compiles(day_after, "sqlite")
def _day_after_on_sqlite(element: day_after, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)}, '+1 day')"


@compiles(day_after, "postgresql")
def _day_after_on_postgresql(element: day_after, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} + 1)"


class _instant(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    type = UtcDateTime()
    inherit_cache = True


@compiles(_instant, "sqlite")
def _instant_on_sqlite(element: _instant, compiler: SQLCompiler, **options: Any) -> str:
    # In the form, to the microsecond, in which instants are stored and compared.
    return (
        f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {compiler.process(element.clauses, **options)} || ' seconds') || '000')"
    )


@compiles(_instant, "postgresql")
def _instant_on_postgresql(element: _instant, compiler: SQLCompiler, **options: Any) -> str:
    # Not now(), which is when the transaction began: it may have waited for a lock since.
    return (
        f"(clock_timestamp() + make_interval(secs => CAST({compiler.process(element.clauses, **options)} AS float8)))"
    )


def database_clock(*, seconds: float = 0) -> SQLColumnExpression[datetime]:
    """What the database's clock says, or said or will say so many seconds away from now. Processes on several machines
    agree on it, as they might not on their own clocks.
    """
    return _instant(literal(seconds))


class microseconds(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """An instant in microseconds since 1970."""

    type = BigInteger()
    inherit_cache = True


@compiles(microseconds, "sqlite")
def _microseconds_on_sqlite(element: microseconds, compiler: SQLCompiler, **options: Any) -> str:
    instant = compiler.process(element.clauses, **options)
    seconds = f"CAST(strftime('%s', substr({instant}, 1, 19)) AS INTEGER)"
    return f"({seconds} * 1000000 + CAST(substr({instant}, 21, 6) AS INTEGER))"


@compiles(microseconds, "postgresql")
def _microseconds_on_postgresql(element: microseconds, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(extract(epoch FROM {compiler.process(element.clauses, **options)}) * 1000000 AS bigint)"


class word_of(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The number that eight hexadecimal digits of a text write, from this place on, counted from 0."""

    type = BigInteger()
    inherit_cache = True

    def __init__(self, digits: SQLColumnExpression[str], place: int) -> None:
        super().__init__(func.substr(digits, place + 1, 8))


@compiles(word_of, "sqlite")
def _word_on_sqlite(element: word_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"hexadecimal({compiler.process(element.clauses, **options)})"


@compiles(word_of, "postgresql")
def _word_on_postgresql(element: word_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(CAST('x' || {compiler.process(element.clauses, **options)} AS bit(32)) AS bigint)"


class rounded_product(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """``(base + factor × price) / divisor``, half rounded up, whatever the size of the product; what is more than
    ``most`` is ``most``. None of them is negative. Slower than the database's own integers, which hold 64 bits.
    """

    type = BigInteger()
    inherit_cache = True

    def __init__(self, factor: ColumnElement[int], price: int, *, divisor: int, most: int, base: int = 0) -> None:
        super().__init__(factor, *(literal(str(number), String) for number in (price, base, divisor, most)))


@compiles(rounded_product, "sqlite")
def _rounded_product_on_sqlite(element: rounded_product, compiler: SQLCompiler, **options: Any) -> str:
    return f"rounded_product({compiler.process(element.clauses, **options)})"


@compiles(rounded_product, "postgresql")
def _rounded_product_on_postgresql(element: rounded_product, compiler: SQLCompiler, **options: Any) -> str:
    numbers = (f"CAST({compiler.process(one, **options)} AS numeric)" for one in element.clauses)
    factor, price, base, divisor, most = numbers
    return f"CAST(LEAST(div({base} + {factor} * {price} + div({divisor}, 2), {divisor}), {most}) AS bigint)"


class readable(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """A JSON column as text in which letters beyond ASCII stand as they are, where they are stored as numbers."""

    type = String()
    inherit_cache = True


@compiles(readable, "sqlite")
def _readable_on_sqlite(element: readable, compiler: SQLCompiler, **options: Any) -> str:
    return f"readable_json({compiler.process(element.clauses, **options)})"


@compiles(readable, "postgresql")
def _readable_on_postgresql(element: readable, compiler: SQLCompiler, **options: Any) -> str:
    stored = f"CAST({compiler.process(element.clauses, **options)} AS text)"
    # Others need no reading, and jsonb refuses NUL and halves of characters.
    plain = rf"{stored} !~ '\\u' OR {stored} ~* '\\u(0000|d[89a-f])'"
    return f"CASE WHEN {plain} THEN {stored} ELSE CAST(CAST({stored} AS jsonb) AS text) END"


class _each(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The numbers of a JSON array as rows."""

    type = BigInteger()
    inherit_cache = True


@compiles(_each, "sqlite")
def _each_on_sqlite(element: _each, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **options)}))"


@compiles(_each, "postgresql")
def _each_on_postgresql(element: _each, compiler: SQLCompiler, **options: Any) -> str:
    array = f"translate({compiler.process(element.clauses, **options)}, '[]', '{{}}')"
    return f"(SELECT unnest(CAST({array} AS bigint[])))"


class beside_indexes(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """A number as it is, which SQLite does not look up along an index: where a list is read in the order of one table,
    it begins there instead of sorting what it finds from the others. PostgreSQL plans by itself.
    """

    type = BigInteger()
    inherit_cache = True


@compiles(beside_indexes, "sqlite")
def _beside_indexes_on_sqlite(element: beside_indexes, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(beside_indexes, "postgresql")
def _beside_indexes_on_postgresql(element: beside_indexes, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


class number_in(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The whole number that a JSON object has under a name; NULL where it has none."""

    type = BigInteger()
    inherit_cache = True

    def __init__(self, column: SQLColumnExpression[Any], name: SQLColumnExpression[str]) -> None:
        super().__init__(column, name)


@compiles(number_in, "sqlite")
def _number_in_on_sqlite(element: number_in, compiler: SQLCompiler, **options: Any) -> str:
    # By its key, not by a path, in which some characters have a meaning.
    column, name = (compiler.process(one, **options) for one in element.clauses)
    return f"(SELECT value FROM json_each({column}) WHERE key = {name})"


@compiles(number_in, "postgresql")
def _number_in_on_postgresql(element: number_in, compiler: SQLCompiler, **options: Any) -> str:
    column, name = (compiler.process(one, **options) for one in element.clauses)
    return f"CAST({column} ->> {name} AS bigint)"


def newest_months(day: InstrumentedAttribute[date], *which: ColumnExpressionArgument[bool], limit: int) -> Select[date]:
    """The first days of the newest ``limit`` months that such a day lies in, the newest first. Of each the last day
    alone is looked up.
    """
    newest = select(month_of(func.max(day)).label("month"), literal(1).label("place")).where(*which)
    months = newest.cte("newest_months", recursive=True)
    before = select(month_of(func.max(day))).where(*which, day < months.c.month).scalar_subquery()
    further = select(before, months.c.place + 1).where(months.c.month.is_not(None), months.c.place < limit)
    months = months.union_all(further)
    return select(months.c.month).where(months.c.month.is_not(None)).order_by(months.c.month.desc())


def among(
    column: SQLColumnExpression[int] | SQLColumnExpression[int | None], numbers: Iterable[int] | BindParameter[str]
) -> ColumnElement[bool]:
    """``column IN numbers`` for however many: together they are one parameter, of which drivers allow some 32,000. Of a
    statement that is put together once it is the parameter, which is given them as ``listed`` writes them.
    """
    return column.bool_op("IN")(_each(numbers if isinstance(numbers, BindParameter) else listed(numbers)))


def listed(numbers: Iterable[int]) -> str:
    """As one parameter."""
    return json.dumps(list(numbers))


def as_rows(session: Session, name: str, columns: Columns, rows: Iterable[Sequence[object]]) -> CTE:
    """These rows of texts, integers, days and instants, as a table of this name; however many, they are one parameter.
    Where it is looked up often, have it ``MATERIALIZED``: otherwise SQLite may read the text anew each time.
    """
    dialect = session.get_bind().dialect
    mark = "" if dialect.name == "sqlite" else "+00"

    def written(value: object) -> str:
        return f"{stored_on_sqlite(value)}{mark}" if isinstance(value, datetime) else str(value)

    if dialect.name == "sqlite":
        cells = (f"json_extract(value, '$[{place}]') AS {column}" for place, column in enumerate(columns))
        source = f"json_each(:{name})"
    else:
        cells = (
            f"CAST(value->>{place} AS {kind.compile(dialect=dialect)}) AS {column}"
            for place, (column, kind) in enumerate(columns.items())
        )
        source = f"jsonb_array_elements(CAST(:{name} AS jsonb)) AS pieces(value)"
    # Names of columns and types, which are ours.
    statement = text(f"SELECT {', '.join(cells)} FROM {source}")
    bound = statement.bindparams(**{name: json.dumps([list(row) for row in rows], ensure_ascii=False, default=written)})
    return bound.columns(**columns).cte(name)


def equals(column: SQLColumnExpression[str], given: str) -> ColumnElement[bool]:
    """The column is exactly this text. No column holds NUL, which PostgreSQL refuses, nor half a character."""
    return false() if "\0" in given or is_torn(given) else column == given


def mentions(given: str, *columns: SQLColumnExpression[str] | SQLColumnExpression[str | None]) -> ColumnElement[bool]:
    """One of the columns contains the text, whatever the case and the accents. NUL, which PostgreSQL refuses, is
    removed; half a character is in none, and neither is NUL alone.
    """
    kept = given.replace("\0", "")
    if is_torn(given) or (given and not kept):
        return false()
    return folded(together(columns)).contains(fold(kept), autoescape=True)


def together(columns: Iterable[SQLColumnExpression[Any]]) -> ColumnElement[str]:
    """As one text, to be folded once; between them stands what no text may contain, so that nothing spans two."""
    texts = (func.coalesce(column, literal_column("''")) for column in columns)
    return reduce(lambda left, right: left.concat(literal_column("'\x1f'")).concat(right), texts)
