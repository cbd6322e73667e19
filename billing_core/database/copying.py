"""Copying every row into another database of either kind: all or nothing, and compared value by value.

Values are taken as they are stored: integers, texts, instants, bytes. Nothing is decoded, computed or rounded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnClause,
    Connection,
    Engine,
    Enum,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    TableClause,
    Text,
    cast,
    column,
    delete,
    func,
    insert,
    inspect,
    literal,
    select,
    table,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.types import NullType, TypeEngine

from billing_core.database import partitions
from billing_core.database.engine import for_changes, may_idle
from billing_core.database.types import Scaled
from billing_core.errors import Conflict

# Rows that are held in memory at once, and those of a table that holds files or parts of them.
BATCH: Final = 5_000
LARGE_BATCH: Final = 20
# Not copied, so that nobody is signed in to the copy, and none of the former installation's processes is missed in it.
LEFT_OUT: Final = frozenset({"failed_schedules", "processes", "sign_in_attempts", "user_sessions"})
# The rows of an unused database: the business and the meter that migrations insert, and of each start of the product a
# set-up link, the process, what it failed to do on time, and who tried to sign in.
_UNUSED: Final = {
    "businesses": 1,
    "failed_schedules": 10,
    "meters": 1,
    "one_time_links": 1_000,
    "processes": 1_000,
    "sign_in_attempts": 1_000,
}
_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '30s'"


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows, and the sum of their digests, which does not depend on their order."""

    rows: int = 0
    digest: int = 0

    def plus(self, rows: Sequence[tuple[Any, ...]]) -> "Content":
        digest = sum(int.from_bytes(blake2b(repr(row).encode(), digest_size=16).digest()) for row in rows)
        return Content(self.rows + len(rows), (self.digest + digest) % 2**128)


@contextmanager
def reading(engine: Engine, metadata: MetaData, *, alone: bool = False) -> Iterator[Connection]:
    """A snapshot of the database. ``alone``: blocks writers until the end, so that nothing is left behind."""
    if engine.dialect.name == "sqlite":
        with (for_changes(engine) if alone else engine).connect() as connection:
            _take_place(connection)
            yield connection
        return
    with engine.connect().execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=not alone
    ) as connection:
        may_idle(connection)
        if alone:
            connection.exec_driver_sql(_LOCK_TIMEOUT)
            _take_place(connection, f"LOCK TABLE {', '.join(sorted(metadata.tables))} IN SHARE MODE")
        yield connection


@contextmanager
def writing(engine: Engine, metadata: MetaData) -> Iterator[Connection]:
    """One transaction that blocks other writers, committed at its end. The database is migrated."""
    with for_changes(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            may_idle(connection)
            connection.exec_driver_sql(_LOCK_TIMEOUT)
            _take_place(connection, f"LOCK TABLE {', '.join(sorted(metadata.tables))} IN EXCLUSIVE MODE")
        yield connection


def refuse_unless_unused(connection: Connection, metadata: MetaData) -> None:
    """Existing data is never overwritten, and another program's tables are left alone."""
    existing = set(inspect(connection).get_table_names()) - _partitions(connection, metadata)
    for name in sorted(existing - {*metadata.tables, *filter(_is_kept_by_the_database, existing), "alembic_version"}):
        raise Conflict(f"That database is not empty: it has a table “{name}” that is not ours. Name an empty one")
    for name in sorted(existing & set(metadata.tables)):
        rows = select(literal(1)).select_from(table(name)).limit(_UNUSED.get(name, 0) + 1).subquery()
        if (connection.scalar(select(func.count()).select_from(rows)) or 0) > _UNUSED.get(name, 0):
            raise Conflict(f"That database is not empty: “{name}” has rows. Nothing is overwritten; name an empty one")


def _is_kept_by_the_database(name: str) -> bool:
    """What searches look up in: it follows from the rows, by triggers."""
    return name.startswith("invoice_words")


def _partitions(connection: Connection, metadata: MetaData) -> set[str]:
    parted = [one.name for one in metadata.tables.values() if partitions.by_month(one)]
    return partitions.existing(connection, parted) if connection.dialect.name == "postgresql" else set()


def copy(source: Connection, target: Connection, metadata: MetaData) -> Mapping[str, int]:
    """Fill the unused target, and return how many rows each table has. Refuses where any value differs."""
    tables = metadata.sorted_tables
    for one in reversed(tables):
        if one.name in _UNUSED:
            target.execute(delete(one))
    _defer(target, tables)
    written = {one.name: _copy(source, target, one) for one in tables if one.name not in LEFT_OUT}
    _check(target, tables)
    for one in tables:
        if one.name in written and _content(target, one) != written[one.name]:
            raise Conflict(f"The copy of the table “{one.name}” differs from what was read: nothing has been copied")
    if target.dialect.name == "postgresql":
        _continue_numbering(target, tables)
        # The checks that follow would be planned as for empty tables.
        target.exec_driver_sql("ANALYZE " + ", ".join(one.name for one in tables))
    return {name: content.rows for name, content in written.items()}


def _copy(source: Connection, target: Connection, one: Table) -> Content:
    add = _add_on_postgresql if target.dialect.name == "postgresql" else _add
    content = Content()
    for rows in _batches(source, one):
        try:
            add(target, one, rows)
        except DBAPIError as error:
            if isinstance(error.orig, target.dialect.loaded_dbapi.OperationalError):
                raise
            # Such as a text that is longer than declared, which SQLite allows. The first line has no values.
            reason = str(error.orig).splitlines()[0]
            raise Conflict(f"A row of the table “{one.name}” cannot be taken over: {reason}") from None
        content = content.plus(rows)
    return content


def _add(target: Connection, one: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    names = [column.name for column in _columns(one)]
    target.execute(insert(_stored(one)), [dict(zip(names, row, strict=True)) for row in rows])


def _add_on_postgresql(target: Connection, one: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """By COPY, which takes a fraction of the time that INSERT would."""
    if parted_by := partitions.by_month(one):
        place = [column.name for column in _columns(one)].index(parted_by)
        partitions.ensure_months(target, one.name, {row[place].date() for row in rows})
    quoted = target.dialect.identifier_preparer.quote
    names = ", ".join(quoted(column.name) for column in _columns(one))
    statement = f"COPY {quoted(one.name)} ({names}) FROM STDIN"
    cursor: Any = target.connection.cursor()
    try:
        with cursor, cursor.copy(statement) as lines:
            for row in rows:
                lines.write_row(row)
    except target.dialect.loaded_dbapi.DatabaseError as error:
        raise DBAPIError(statement, None, error) from None


def _content(connection: Connection, one: Table) -> Content:
    content = Content()
    for rows in _batches(connection, one):
        content = content.plus(rows)
    return content


def _batches(connection: Connection, one: Table) -> Iterator[Sequence[tuple[Any, ...]]]:
    """In the order of the key, so that indexes are filled from left to right."""
    key = [column.name for column in one.primary_key]
    together = LARGE_BATCH if any(isinstance(item.type, LargeBinary) for item in one.columns) else BATCH
    rows = connection.execute(_selected(one).order_by(*key), execution_options={"yield_per": together})
    for batch in rows.partitions():
        yield [tuple(row) for row in batch]


def _columns(one: Table) -> list[ColumnClause[Any]]:
    """The stored columns; the database computes the others."""
    return [column(item.name, _plain(item.type)) for item in one.columns if item.computed is None]


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of the stored values, without our conversions."""
    match kind:
        case JSON():
            return NullType()
        case Enum():
            return String()
        case Scaled():
            return BigInteger()
        case _:
            return kind


def _stored(one: Table) -> TableClause:
    return table(one.name, *_columns(one))


def _selected(one: Table) -> Select[*tuple[Any, ...]]:
    """JSON as text: a number in it must not become a float on the way."""
    json = {item.name for item in one.columns if isinstance(item.type, JSON)}
    stored = _stored(one)
    return select(*(cast(item, Text) if item.name in json else item for item in stored.columns))


def _take_place(connection: Connection, statement: str = "SELECT 1") -> None:
    """Begin, and wait for other writers. SQLite takes the lock when it begins."""
    try:
        connection.exec_driver_sql(statement)
    except OperationalError:
        raise Conflict("Somebody is writing to the database: stop the product and its workers first") from None


def _defer(connection: Connection, tables: Iterable[Table]) -> None:
    """A row may refer to a later one of its own table; tables are in order of their references."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        return
    for one, name in _self_references(connection, tables):
        connection.exec_driver_sql(f"ALTER TABLE {one} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED")


def _check(connection: Connection, tables: Iterable[Table]) -> None:
    """Every reference must exist; from here on they are checked at once again."""
    if connection.dialect.name == "sqlite":
        wrong = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if wrong is not None:
            raise Conflict(f"A row of the table “{wrong[0]}” refers to one of “{wrong[2]}” that is not there")
        return
    try:
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    except DBAPIError as error:
        raise Conflict(f"A row refers to one that is not there: {str(error.orig).splitlines()[0]}") from None
    for one, name in _self_references(connection, tables):
        connection.exec_driver_sql(f"ALTER TABLE {one} ALTER CONSTRAINT {name} NOT DEFERRABLE")


def _self_references(connection: Connection, tables: Iterable[Table]) -> Iterator[tuple[str, str]]:
    quoted = connection.dialect.identifier_preparer.quote
    inspector = inspect(connection)
    for one in tables:
        if any(key.column.table is one for key in one.foreign_keys):
            for key in inspector.get_foreign_keys(one.name):
                if key["referred_table"] == one.name and key["name"]:
                    yield quoted(one.name), quoted(key["name"])


def _continue_numbering(connection: Connection, tables: Iterable[Table]) -> None:
    """PostgreSQL's sequences do not notice explicitly inserted ids."""
    for one in tables:
        key = one.autoincrement_column
        if key is not None:
            sequence = func.pg_get_serial_sequence(one.name, key.name)
            last = func.max(key)
            connection.execute(select(func.setval(sequence, func.coalesce(last, 1), last.is_not(None))))
