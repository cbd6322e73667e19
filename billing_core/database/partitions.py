"""Tables that PostgreSQL keeps in a part for each month; on SQLite they are whole."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import Table, text
from sqlalchemy.engine import Connection

from billing_core.dates import add_months, first_of_month

_MAKING_PARTITIONS: Final = 7_236_120
_EXISTING: Final = text(
    "SELECT part.relname FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid"
    " JOIN pg_class AS whole ON whole.oid = inhparent"
    " WHERE whole.relname = ANY(:tables) AND pg_table_is_visible(whole.oid)"
)


def by_month(table: Table) -> str | None:
    """The column by whose month the table is partitioned on PostgreSQL; None where it is not."""
    declared = table.dialect_options["postgresql"]["partition_by"]
    return None if declared is None else str(declared).partition("(")[2].removesuffix(")")


def ensure_months(connection: Connection, table: str, days: Iterable[date]) -> None:
    """Have partitions for the (UTC) months in which these days lie. Lock rows after this, not before."""
    if connection.dialect.name != "postgresql":
        return
    wanted = {f"{table}_{month:%Y_%m}": month for month in map(first_of_month, days)}
    if not wanted.keys() - existing(connection, [table]):
        return
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING_PARTITIONS})")
    for name in sorted(wanted.keys() - existing(connection, [table])):
        start, end = (
            datetime(day.year, day.month, 1, tzinfo=UTC) for day in (wanted[name], add_months(wanted[name], 1))
        )
        # Attached, not made in its place: that would wait for every reader, and have everybody else wait meanwhile.
        connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        month = f"FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        connection.exec_driver_sql(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {month}")


def existing(connection: Connection, tables: Iterable[str]) -> set[str]:
    """The names of these tables' partitions, as far as the tables are there."""
    return set(connection.scalars(_EXISTING, {"tables": list(tables)}))
